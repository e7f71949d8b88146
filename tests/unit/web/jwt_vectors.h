/* jwt_vectors.h - made by make_jwt_vectors.py. */
/* clang-format off */
#include <stddef.h>
#include <stdint.h>

#include "web/verify_jwt.h"

#define JWT_NOW_S INT64_C(1763712000)
#define JWT_SECRETS "a-secret-of-the-dashboard,the-secret-before"
static const char JWKS[] =
    "{\"keys\": [{\"kty\": \"oct\", \"k\": \"AAAA\", \"kid\": \"passed-over\"}, {\"kty\": \"RSA\", \"kid"
    "\": \"small\", \"n\": \"xQt2XvDcym3qYYAX7Pl9btUwlqqmk7Dhiay9vPxI6TZufPEdv5u_u464qYB0dEsS-taE1e9_nmgU"
    "hL3c7wW-ikrHMrMN1oV_2Zb0VH00LSs_zQTGhEp_TnWlQ2W4eGacHFnZCk09UT4DVapEfj5m5mQUR3_bhs7AVq-IHqX4HEs\", "
    "\"e\": \"AQAB\"}, {\"kty\": \"RSA\", \"kid\": \"rsa-1\", \"use\": \"sig\", \"alg\": \"RS256\", \"n\""
    ": \"tLVPYu1v39M6n0j5s5bYvS70rVlZ83K4yYrVlBsYarN1EpM39yFFXsUfs9lHoc1bDPv7ENYDaCuycMwqJRk_UuEG3ATKQlB2"
    "i4h5AFON3WcfexTy_L_wuGv2F-xl8UYF7-F79atm9tzxm2TZqyXtFmrDCWPj8jdwIVritr6w7iB66rOVy3bd4-O4KRvIGEgRclsY"
    "27aIINKsQ-b-Z7fmA9rx3HfkETnMOb_ITMghIb8O2rMH4t1v1MHVaXiC0j6C8lhx2jcKqCILUrKCgQd-OSbCnYZEYjOxFpya-gpq"
    "86rr4kGOLVIr1pN5tpXX0ZBU2UuVymAdLG_BEhgOKG3wxQ\", \"e\": \"AQAB\"}, {\"kty\": \"RSA\", \"kid\": \"rs"
    "a-enc\", \"use\": \"enc\", \"n\": \"tLVPYu1v39M6n0j5s5bYvS70rVlZ83K4yYrVlBsYarN1EpM39yFFXsUfs9lHoc1b"
    "DPv7ENYDaCuycMwqJRk_UuEG3ATKQlB2i4h5AFON3WcfexTy_L_wuGv2F-xl8UYF7-F79atm9tzxm2TZqyXtFmrDCWPj8jdwIVri"
    "tr6w7iB66rOVy3bd4-O4KRvIGEgRclsY27aIINKsQ-b-Z7fmA9rx3HfkETnMOb_ITMghIb8O2rMH4t1v1MHVaXiC0j6C8lhx2jcK"
    "qCILUrKCgQd-OSbCnYZEYjOxFpya-gpq86rr4kGOLVIr1pN5tpXX0ZBU2UuVymAdLG_BEhgOKG3wxQ\", \"e\": \"AQAB\"}, "
    "{\"kty\": \"EC\", \"kid\": \"ec-1\", \"crv\": \"P-256\", \"x\": \"8pVK5e_qHYNKjdtJ4Ql6atFfwVyOpVuCWh"
    "lYSamau9g\", \"y\": \"IlklzAf3QYTG9Soz-Gx0vjOLQXRK2IZPOYosuiPy0Cs\"}]}"
    ;

static const struct {
    const char *name, *token;
    int cause; /* -1: any but VERIFY_OK */
    size_t secret_index;
} TOKENS[] = {
    { "hs256",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.3pj902e7v4KsLU7J1XHCg7bSYoOD79z8ZpyfghPWeSs"
      , VERIFY_OK, 0 },
    { "hs256 by the old secret",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.hWHRT9BG7C-9gjrxmNXx0CebOqdI5ppbP8x9LWGXvjY"
      , VERIFY_OK, 1 },
    { "hs256 by nobody's secret",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.G5zce8qTpQQmcFeI4Sk8q-RYm7f6PEf-Q4jRM5w_Rm4"
      , VERIFY_NO_MATCH, 0 },
    { "hs256 by the empty secret",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.A3Ug9r8C6XbeyQSG1Xpf3mK14EKlyAI8Il1aA6273MU"
      , VERIFY_NO_MATCH, 0 },
    { "rs256",
      "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIn0.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNl"
      "ckBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIi"
      "LCJzbHVpY2UiXX0.XXy8QMsGFBljZFWDN6nNTcfPAWy3lZZt9OFQsXoaHI5vZwfdAUTtuhtDV_sWTEKl-LeMkyPouWeZ9PIkQwQ7"
      "DwZeFhlXEJJshatBxr-mgdptNJgBdOjIoFaMZCMFjtXEFaPMjojhslj5ih41IArFziwHKTv1KlPM8pHK2WRcWTzg_ZD9qbQnMwjD"
      "CMd9mzMewQWAyAxY1RWowhSlujKWfiJ_53QRUzRML-may60HH88MV16_Lb-m8uImV430bosYDPKxx0Fq5nYAO0KiUL09z7rsKLFC"
      "EsUoUmi03dWQ3GVmAezfMwQSQ1Btr1pTznQoUaeulCgXQdlw4JP0Kot94Q"
      , VERIFY_OK, 2 },
    { "rs256 without kid",
      "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGxlLmNvbSI"
      "sInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXX0.iw0"
      "77bXWNijVm1JxK0B0Ibtk1VerFZ1q4G9-Tbj8-BGQmD6mnl5kDMiINRPW610I4Tf-2rav9dNo_hRmsiv9oknD22V7uSJiChX9XkQ"
      "jHNf9ueCHCZhBkcK9n4M4h3W6I2azlc0w-xhulTDITn7etJC7SAIsgkWFBd97aeTSbBaEgX0Am5ad1JXs_AROs_FXHvQIjhfrZAN"
      "JNO0MPAbvNRLw706yWIM4SMFuq1ZFOOheBcGDO9X4MhBsweJGJDkzxfNExXhZ5ijDiBmKil5vcB68GYKmP7zmmqyYQikpz-kjXb3"
      "c_yc4Q3WPe4OeCHuurG8so026aHBAtGrz_sS6og"
      , VERIFY_OK, 2 },
    { "rs256 by another key",
      "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIn0.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNl"
      "ckBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIi"
      "LCJzbHVpY2UiXX0.GfDJnawMF48nJjAoTCD1ZOUMNyryKKN1sx0xxCiQ_9cYd2gP-Z6iPu52xlrimOX_9nMr0pKKxTark9Yk6Euq"
      "nYdHb3unQrrx46ksEZL7qNQ_oJUVa5dXXJLcfYJPyiqk-k2lwev4Im5Ih88EAKxH4ZZLXDRzf7C9zM9rD8EPOF_2oBYO5lxcheLA"
      "vo0d75yDYsQH4wlCT3My36GFGp9_goPLaoVPQJYz4XHwQbMQAYYV-POsyKfNWWuReWebLWaekqr4Oo-18HfJmh2nDVgiuuqsI6jQ"
      "RQWQJI6p5cbIXc8UY00TeWelyHfjC-trduF8jo51Vxdsgsi2T7xv7SsYDg"
      , VERIFY_NO_MATCH, 0 },
    { "rs256 by a key that is too small",
      "eyJhbGciOiJSUzI1NiIsImtpZCI6InNtYWxsIn0.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNl"
      "ckBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIi"
      "LCJzbHVpY2UiXX0.KyKXheu3Dq-f6fJDpgVBO6kNn-uIdNDPbKm4qVb7hQKeyLkBy4Hf4S8RrYnQE6P_6ILfKVO0qUY1yzlXd6dj"
      "QHge17ymqRPSCuQdENMKrOPnqwpDgWaTTefJcaXF8H6FMoFgoHU-OC1xScXixWlyaVHJQWCHkrhlbSvuQp0PFNE"
      , VERIFY_NO_MATCH, 0 },
    { "rs256 with the kid of another kind",
      "eyJhbGciOiJSUzI1NiIsImtpZCI6ImVjLTEifQ.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlc"
      "kBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiL"
      "CJzbHVpY2UiXX0.S7Evwt4E7S7Qhe4Jb8wpk5MF2BwSwq6CEPdhoIXC6IFh5UrzgE81ZmuJYGDdj4sW4Gsw5YJHOQE4D6Hc8NTfq"
      "VWPRMSVVQ85zAydC0g4BdM0_2b926m3267c5N0myGd6GQniGZkTYhNn6qNMKfBpAEWQi2vrsimKsG-18aAnbAq26JY5ki05XAOWt"
      "f3SYhX4dajEw8r_P5VM3ciPj7gtv6qMTxtxWMZWqq-fLtVNiQO34UU53p6DjwPAtkTnYTbeB_CfD6DFFs4woNnSJoBYomLPWmdeK"
      "l2HTo-oeEadxOSPx5c1oOrkmohdDd18E9ll9EWS2Z_fCLyMFyiDABCaFw"
      , VERIFY_NO_MATCH, 0 },
    { "es256",
      "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLTEifQ.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlc"
      "kBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiL"
      "CJzbHVpY2UiXX0._hFoQC9o_Vpwk_CgHD_MiVxr2wHddW2j28-JR1eAR7-8N7mYSi5fOQFd4VUE0XsH_PvzyWFzGQNa67squ3aDa"
      "g"
      , VERIFY_OK, 3 },
    { "hs256 with the public key as secret",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.dYGeL4uUok375hwdTusrVKEdIyw3_EXN9MBhsltyQ_I"
      , VERIFY_NO_MATCH, 0 },
    { "hs256 signed, rs256 said",
      "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIn0.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNl"
      "ckBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIi"
      "LCJzbHVpY2UiXX0._i41vkxvvavyaJGioQbQXtUNEY6wRhiRWYitcqFzva4"
      , VERIFY_NO_MATCH, 0 },
    { "none",
      "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGxlLmNvbSIs"
      "InJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXX0."
      , VERIFY_NO_MATCH, 0 },
    { "NONE with a signature",
      "eyJhbGciOiJOT05FIn0.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGxlLmNvbSIs"
      "InJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXX0.xVX2"
      "IAvcesNhLtG3oFfYLTJBRvNGpS8nXNFtNiA1qAo"
      , VERIFY_NO_MATCH, 0 },
    { "hs512 said",
      "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGxlLmNvbSI"
      "sInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXX0.arO"
      "G61ORnAVdC0mTSxdEPVmeAt4gYlfhtXiqY0nzJUI"
      , VERIFY_NO_MATCH, 0 },
    { "no alg",
      "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGxlLmNvbSIsI"
      "nJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXX0.IMsCh"
      "VQhitKD2gNq61I20WnZw8R6-ioCOQ63Z120gFs"
      , VERIFY_MALFORMED, 0 },
    { "crit",
      "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsiZXhwIl19.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXN"
      "lckBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXI"
      "iLCJzbHVpY2UiXX0.n3zsDfgyGsb-QYT2e-ff9Hm66fab8O-AFTV7J161HyI"
      , VERIFY_MALFORMED, 0 },
    { "expired",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTE5MzksImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.XgUCCzPg3Fzmh6FiUf2VgOGpFYDljejAjfIgxjVJg4A"
      , VERIFY_STALE, 0 },
    { "within the leeway",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTE5NDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.t0jgrooZFdVkA7SFl_xe8F8kQ7-dNEm1KaMYMZM91wE"
      , VERIFY_OK, 0 },
    { "expired and forged",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTE5MzksImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.WJ9-X8inceZ1PASCD-DilfCj-bOJFSl9-TGd3YK86F0"
      , VERIFY_NO_MATCH, 0 },
    { "no exp",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJlbWFpbCI6InVzZXJAZXhhbXBsZS5jb20iLCJyb2x"
      "lIjoiYWRtaW4iLCJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpbIm90aGVyIiwic2x1aWNlIl19.WgsEDlxHHh"
      "6oNNhW1fW-GDBLI1quayO0BMqj0AWBK94"
      , VERIFY_MALFORMED, 0 },
    { "exp is a text",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOiJ0b21vcnJvdyIsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.ZYUye3HraJqDOFO3pS1BMQ2C9EB510ANlHIRA68EIMg"
      , VERIFY_MALFORMED, 0 },
    { "exp is huge",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjFlKzMwMCwiZW1haWwiOiJ1c2VyQGV4YW1"
      "wbGUuY29tIiwicm9sZSI6ImFkbWluIiwiaXNzIjoiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsImF1ZCI6WyJvdGhlciIsInNsdWl"
      "jZSJdfQ.gIVBdRB-MhjfCON4hkyfSzfk1UYqriCjSxK2nmU2RsI"
      , VERIFY_MALFORMED, 0 },
    { "exp with a fraction",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTIwMDAuNSwiZW1haWwiOiJ1c2V"
      "yQGV4YW1wbGUuY29tIiwicm9sZSI6ImFkbWluIiwiaXNzIjoiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsImF1ZCI6WyJvdGhlciI"
      "sInNsdWljZSJdfQ.jQhG_WuKJ1TkV6VFzp4xcBW09KI-oIvT9kU0SfHZ030"
      , VERIFY_OK, 0 },
    { "not yet valid",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXSwibmJmIjoxNzYzNzEyMDYxfQ.63XU5InCFi0j1Lh469pVw0ESXxDa7HlQa3MTzB6ppUE"
      , VERIFY_FUTURE, 0 },
    { "nearly valid",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXSwibmJmIjoxNzYzNzEyMDYwfQ.SbU4EN_H5_dPDgDGMQKBsOQDNYjke76rR77Ujfo_BsU"
      , VERIFY_OK, 0 },
    { "no sub",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGxlLmNvbSIsInJ"
      "vbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXX0.514IDMx"
      "Zf8_x1mLu7I6q0gqEkaYr3OHgOMPzdvcQZlc"
      , VERIFY_CLAIMS, 0 },
    { "empty sub",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGx"
      "lLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2U"
      "iXX0.HnsyK9jgQwiej8Pj71mVhVaQx4EjrzxRc7hjgHy8868"
      , VERIFY_CLAIMS, 0 },
    { "sub of 255 bytes",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3N"
      "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3N"
      "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3N"
      "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3MiLCJleHAiOjE"
      "3NjM3MTI2MDAsImVtYWlsIjoidXNlckBleGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV"
      "4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzbHVpY2UiXX0.DHfB3SmZNOgGZDhE-aFfH1cSxGyFCHBFdG00BOKSnZg"
      , VERIFY_OK, 0 },
    { "sub of 256 bytes",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3N"
      "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3N"
      "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3N"
      "zc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3NzIiwiZXhwIjo"
      "xNzYzNzEyNjAwLCJlbWFpbCI6InVzZXJAZXhhbXBsZS5jb20iLCJyb2xlIjoiYWRtaW4iLCJpc3MiOiJodHRwczovL2lzc3Vlci5"
      "leGFtcGxlIiwiYXVkIjpbIm90aGVyIiwic2x1aWNlIl19.5VcrgVb3KyovR75SdZ9q7j7ermnjPGxvDi4OdgyCsbU"
      , VERIFY_CLAIMS, 0 },
    { "sub with a line break",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhXG5iIiwiZXhwIjoxNzYzNzEyNjAwLCJlbWFpbCI6InVzZXJAZXh"
      "hbXBsZS5jb20iLCJyb2xlIjoiYWRtaW4iLCJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpbIm90aGVyIiwic2x"
      "1aWNlIl19.p4jVynkoW2yD-JZCn88hW-dX9NzkoyWtybDe9TxjcLc"
      , VERIFY_CLAIMS, 0 },
    { "sub is a number",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOjcsImV4cCI6MTc2MzcxMjYwMCwiZW1haWwiOiJ1c2VyQGV4YW1wbGU"
      "uY29tIiwicm9sZSI6ImFkbWluIiwiaXNzIjoiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsImF1ZCI6WyJvdGhlciIsInNsdWljZSJ"
      "dfQ.rX0_UL9rcbFyJ81B8H0mJn6DVqFlCcuNDYotXfLo0dU"
      , VERIFY_CLAIMS, 0 },
    { "another issuer",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vb3RoZXIuZXhhbXBsZSIsImF1ZCI6WyJvdGhlciIsInN"
      "sdWljZSJdfQ.PfO25lNCEKW-tD16D8bMHxWdswFlMhk_m26ZnhHYeZM"
      , VERIFY_CLAIMS, 0 },
    { "another audience",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJlbHNlIn0.qaK"
      "gFlLEnfhvXNVtUPmMY-jC_EEI004WKzUbGai0geI"
      , VERIFY_CLAIMS, 0 },
    { "one audience",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOiJzbHVpY2UifQ."
      "JsLKVHU1JizXD3hccOSM8F5NoY8mef7ThznqPi8nThI"
      , VERIFY_OK, 0 },
    { "claims are no object",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.WzFd.gvQgujhmABOfdc-sheq8Q7uZ9a08zFqAsa0pyUrhdsg"
      , -1, 0 },
    { "cut short",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0.3pj902e7v4KsLU7J1XHCg7bSYoOD79z8Z"
      , -1, 0 },
    { "two parts",
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLTEiLCJleHAiOjE3NjM3MTI2MDAsImVtYWlsIjoidXNlckB"
      "leGFtcGxlLmNvbSIsInJvbGUiOiJhZG1pbiIsImlzcyI6Imh0dHBzOi8vaXNzdWVyLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJ"
      "zbHVpY2UiXX0"
      , -1, 0 },
    { "nonsense",
      "nonsense"
      , -1, 0 },
    { "only dots",
      ".."
      , -1, 0 },
};
