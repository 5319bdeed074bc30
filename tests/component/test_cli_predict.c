// SPDX-License-Identifier: MIT
// `predict`, `models inspect` and `train` on a model that XGBoost trained.
#include "component/cli_run.h"

#include <math.h>

#define MODEL "tests/unit/model/fixtures/xgboost_1_7.json"
#define ROWS  "tests/component/data/rows.csv"

// Margins that XGBoost gave for the three rows of ROWS.
static const float margins[3] = {-0x1.0dff04p+1f, 0x1.97dc4p-1f, -0x1.0dff04p+1f};

static const struct cli_result *predict(const char *rows)
{
    return cli_run_with(NULL, rows, (const char *const[]){"predict", "--model", MODEL, "--rows", "-", NULL});
}

static void columns_are_found_by_name_and_others_carried_through(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("predict", "--model", MODEL, "--rows", ROWS);
    cli_assert_exit(result, 0);
    char expected[1024];
    size_t used = 0;
    cli_assert_contains(result->out, "id,note,score,confidence,head_score\n");
    const char *line = strchr(result->out, '\n') + 1;
    static const char *const carried[] = {"1,plain,", "2,\"with \"\"quotes\"\", and comma\",", "3,,"};
    for (size_t r = 0; r < GW_COUNT_OF(margins); r++) {
        float probability = 1.0f / (1.0f + expf(-margins[r]));
        used = (size_t)snprintf(expected, sizeof expected, "%s", carried[r]);
        assert_memory_equal(line, expected, used);
        float numbers[3] = {0};
        assert_int_equal(sscanf(line + used, "%f,%f,%f", &numbers[0], &numbers[1], &numbers[2]), 3);
        for (size_t i = 0; i < GW_COUNT_OF(numbers); i++) {
            assert_float_equal(numbers[i], probability, 1e-6f);
        }
        line = strchr(line, '\n') + 1;
    }
    assert_string_equal(line, "");
}

static void json_gives_one_object_a_line(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("predict", "--json", "--model", MODEL, "--rows", ROWS);
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "{\"columns\":{\"id\":\"1\",\"note\":\"plain\"},\"score\":0.108");
    cli_assert_contains(result->out, "\"note\":\"with \\\"quotes\\\", and comma\"");
}

static void many_rows_come_out_in_order(void **state)
{
    (void)state;
    static char rows[CLI_OUTPUT_MAX];
    size_t used = (size_t)snprintf(rows, sizeof rows, "n,likes,age,length,hour\n");
    for (int i = 0; i < 3000; i++) {
        used += (size_t)snprintf(rows + used, sizeof rows - used, "%d,%d,0,0,0\n", i, i % 2);
    }
    const struct cli_result *result = predict(rows);
    cli_assert_exit(result, 0);
    const char *line = result->out;
    for (int i = 0; i < 3000; i++) {
        line = strchr(line, '\n') + 1;
        assert_int_equal(atoi(line), i);
    }
    assert_string_equal(strchr(line, '\n'), "\n");
}

static void spellings_of_missing_and_infinite_are_understood(void **state)
{
    (void)state;
    char expected[CLI_OUTPUT_MAX];
    snprintf(expected, sizeof expected, "%s", predict("likes,age,length,hour\n,,,\n1e3,,,\n")->out);
    const struct cli_result *result = predict("likes,age,length,hour\nNaN, nan ,NAN,\n+1000,,,\n\n");
    cli_assert_exit(result, 0);
    assert_string_equal(result->out, expected);
    cli_assert_exit(predict("likes,age,length,hour\ninf,-Infinity,-inf,+inf\n"), 0);
}

static void a_missing_column_is_named_with_the_one_that_was_meant(void **state)
{
    (void)state;
    cli_assert_refused(predict("likes,agee,length,hour\n1,2,3,4\n"), 2,
                       "no column 'age', which the model needs; the nearest is 'agee'");
}

static void bad_rows_are_named_by_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *rows;
        const char *message;
    } cases[] = {
        {"likes,age,length,hour\n1,2,x3,4\n", "stdin:2:5: 'x3' in column 'length'"},
        {"likes,age,length,hour\n1,2,1e99,4\n", "stdin:2:5: '1e99'"},
        {"likes,age,length,hour\n1,2,3\n", "stdin:2:1: 3 fields, expected 4"},
        {"likes,age,length,hour\n1,\"2,3,4\n", "stdin:2:3: the quote is never closed"},
        {"likes,age,length,hour\n1,2\"2,3,4\n", "stdin:2:4: a quote inside"},
        {"likes,age,length,hour\n1,\"2\"2,3,4\n", "stdin:2:6: text behind a closing quote"},
        {"likes,age,length,likes\n", "stdin:1:18: column 'likes' twice"},
        {"", "is empty"},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        cli_assert_exit(predict(cases[i].rows), 2);
        cli_assert_contains(predict(cases[i].rows)->err, cases[i].message);
    }
}

static void files_that_are_not_there_are_failures(void **state)
{
    (void)state;
    cli_assert_refused(cli_run("predict", "--model", "/no/model", "--rows", ROWS), 1, "/no/model");
    cli_assert_refused(cli_run("predict", "--model", MODEL, "--rows", "/no/rows"), 1, "/no/rows");
    cli_assert_refused(cli_run("models", "inspect", "/no/model"), 1, "/no/model");
    cli_assert_refused(cli_run("predict", "--model", ROWS, "--rows", ROWS), 2, ROWS);
}

static void models_inspect_tells_what_is_inside(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("models", "inspect", MODEL);
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "binary:logistic");
    cli_assert_contains(result->out, "4 features:\n  likes\n  age\n  length\n  hour\n");
    result = cli_run("models", "inspect", "--json", MODEL);
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "\"trees\":3,\"depth\":2,\"objective\":\"binary:logistic\"");
    cli_assert_contains(result->out, "\"features\":[\"likes\",\"age\",\"length\",\"hour\"]");
}

static void train_passes_words_through_and_the_exit_code_back(void **state)
{
    (void)state;
    const struct cli_result *result = cli_run("train", "--help");
    cli_assert_exit(result, 0);
    cli_assert_contains(result->out, "usage: godwit-train");
    result = cli_run("train", "--rows", "/no/rows", "--json");
    cli_assert_exit(result, 2);
    cli_assert_contains(result->err, "--json");
}

GW_TESTS(columns_are_found_by_name_and_others_carried_through, json_gives_one_object_a_line,
         many_rows_come_out_in_order, spellings_of_missing_and_infinite_are_understood,
         a_missing_column_is_named_with_the_one_that_was_meant, bad_rows_are_named_by_line_and_column,
         files_that_are_not_there_are_failures, models_inspect_tells_what_is_inside,
         train_passes_words_through_and_the_exit_code_back)
