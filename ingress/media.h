/* media.h - the media types of bodies that ingress takes. Pure. */
#ifndef INGRESS_MEDIA_H
#define INGRESS_MEDIA_H

#include "common/str.h"

enum media_type { MEDIA_NONE = 0, MEDIA_JSON, MEDIA_FORM, MEDIA_OTHER };

/* Of a Content-Type field's value; parameters are passed over, but a charset other than UTF-8 makes it OTHER. Empty is
 * NONE. */
enum media_type media_type_of(struct sl_str content_type);

#endif
