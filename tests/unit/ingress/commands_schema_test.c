/* commands_schema_test.c - proto/ and the table of ingress/commands.c say the same of every command.
 *
 * The schemas are compared field by field with the table; the examples go through commands_check, and those that must
 * fail name the fields that the example says. tests/proto checks the examples against the schemas.
 */
#include "tests/unit/web/check.h"

#include <stdio.h>

#include "ingress/commands.h"

#define NAMES_BYTES 512

static json_t *load(const char *folder, const char *type)
{
    char path[128];
    json_error_t error;
    (void)snprintf(path, sizeof(path), "proto/%s/command.%s.json", folder, type);
    json_t *json = json_load_file(path, 0, &error);
    if (!json)
        fail_msg("%s, line %d: %s", path, error.line, error.text);
    return json;
}

static const char *const REFERENCES[COMMAND_FIELD_TYPE_COUNT] = {
    [COMMAND_FIELD_UUID] = "common.json#/$defs/uuid",
    [COMMAND_FIELD_EMAIL] = "common.json#/$defs/email",
    [COMMAND_FIELD_URL] = "common.json#/$defs/url",
};

/* {"anyOf":[X,{"type":"null"}]} is how "where it is given" is written. */
static const json_t *without_null(const json_t *property, bool required)
{
    const json_t *choices = json_object_get(property, "anyOf");
    if (required)
        return property;
    assert_int_equal(json_array_size(choices), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(choices, 1), "type")), "null");
    return json_array_get(choices, 0);
}

static void choices_agree(const json_t *property, const char *choices)
{
    char joined[NAMES_BYTES] = "";
    const json_t *list = json_object_get(property, "enum");
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t len = strlen(joined);
        (void)snprintf(joined + len, sizeof(joined) - len, "%s%s", i == 0 ? "" : "|",
                       json_string_value(json_array_get(list, i)));
    }
    assert_string_equal(joined, choices);
}

static void field_agrees(const struct command_field *field, const json_t *property)
{
    const char *reference = REFERENCES[field->type];
    int64_t min = 0;
    int64_t max = 0;
    switch (field->type) {
    case COMMAND_FIELD_TEXT:
        reference = field->max == 4096 ? "common.json#/$defs/secret" : "common.json#/$defs/text";
        break;
    case COMMAND_FIELD_INT:
        assert_true(sl_json_int(property, "minimum", &min) && sl_json_int(property, "maximum", &max));
        assert_true(min == field->min && max == field->max);
        break;
    case COMMAND_FIELD_CHOICE:
        choices_agree(property, field->choices);
        break;
    case COMMAND_FIELD_TEXTS:
        assert_true(sl_json_int(property, "maxItems", &max));
        assert_int_equal(max, field->max);
        property = json_object_get(property, "items");
        reference = "common.json#/$defs/text";
        break;
    default:
        break;
    }
    if (reference)
        assert_str(sl_json_str(property, "$ref"), reference);
}

static bool is_in(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(json_string_value(json_array_get(list, i)), name) == 0)
            return true;
    }
    return false;
}

static void schema_agrees(const struct command *command, const json_t *schema)
{
    const json_t *required = json_object_get(schema, "required");
    const json_t *properties = json_object_get(schema, "properties");
    size_t count = command->anonymous ? 0 : 1;
    size_t required_count = count;
    assert_int_equal(is_in(required, "user_id"), !command->anonymous);
    for (size_t i = 0; i < COMMAND_FIELDS_MAX && command->fields[i].name; i++) {
        const struct command_field *field = &command->fields[i];
        const json_t *property = json_object_get(properties, field->name);
        if (!property)
            fail_msg("the schema of %s has no %s", command->type, field->name);
        assert_int_equal(is_in(required, field->name), field->required);
        field_agrees(field, without_null(property, field->required));
        count++;
        required_count += field->required;
    }
    assert_int_equal(json_object_size(properties), count);
    assert_int_equal(json_array_size(required), required_count);
}

static void every_schema_is_the_tables(void **state)
{
    (void)state;
    size_t count = 0;
    const struct command *table = commands_table(&count);
    for (size_t i = 0; i < count; i++) {
        SL_JSON_AUTO *schema = load("schemas", table[i].type);
        assert_str(sl_json_str(schema, "title"), table[i].type);
        schema_agrees(&table[i], schema);
    }
}

static void a_command_names_every_type(void **state)
{
    (void)state;
    size_t count = 0;
    const struct command *table = commands_table(&count);
    SL_JSON_AUTO *schema = json_load_file("proto/schemas/command.json", 0, NULL);
    const json_t *types = sl_json_at(schema, "properties.type.enum");
    assert_int_equal(json_array_size(types), count);
    for (size_t i = 0; i < count; i++)
        assert_true(is_in(types, table[i].type));
}

static void example_behaves(const struct command *command, const json_t *example, bool is_good)
{
    struct problem problem = {.code = PROBLEM_NONE};
    char named[NAMES_BYTES] = "";
    char wanted[NAMES_BYTES] = "";
    const json_t *fields = json_object_get(example, "fields");
    bool ok = commands_check(command, json_object_get(example, "value"), &problem);
    for (size_t i = 0; i < problem.field_count; i++)
        (void)snprintf(named + strlen(named), sizeof(named) - strlen(named), " %s", problem.fields[i].name);
    for (size_t i = 0; i < json_array_size(fields); i++)
        (void)snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted), " %s",
                       json_string_value(json_array_get(fields, i)));
    if (ok != is_good || strcmp(named, wanted) != 0)
        fail_msg("%s, %s: named \"%s\", not \"%s\"", command->type, sl_json_str(example, "name").ptr, named, wanted);
}

static void every_example_behaves(void **state)
{
    (void)state;
    size_t count = 0;
    const struct command *table = commands_table(&count);
    for (size_t i = 0; i < count; i++) {
        SL_JSON_AUTO *examples = load("examples", table[i].type);
        const json_t *good = json_object_get(examples, "good");
        const json_t *bad = json_object_get(examples, "bad");
        assert_true(json_array_size(good) > 0 && json_array_size(bad) > 0);
        for (size_t j = 0; j < json_array_size(good); j++)
            example_behaves(&table[i], json_array_get(good, j), true);
        for (size_t j = 0; j < json_array_size(bad); j++)
            example_behaves(&table[i], json_array_get(bad, j), false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_schema_is_the_tables),
        cmocka_unit_test(a_command_names_every_type),
        cmocka_unit_test(every_example_behaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
