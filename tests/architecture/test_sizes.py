from tests.architecture import tree

FILE_LINES, TEST_FILE_LINES = 500, 600
FUNCTION_LINES, TEST_FUNCTION_LINES = 50, 40


class TestSizes:
    def test_no_file_is_too_long_to_read_at_once(self) -> None:
        long = []
        for path in tree.python():
            count = len(path.read_text(encoding="utf-8").splitlines())
            if count > (TEST_FILE_LINES if tree.is_test(path) else FILE_LINES):
                long.append(f"{path.relative_to(tree.ROOT)} ({count} lines)")

        assert long == []

    def test_no_function_is_too_long_to_keep_in_mind(self) -> None:
        long = [
            str(function)
            for function in tree.functions()
            if function.length
            > (TEST_FUNCTION_LINES if tree.is_test(function.path) else FUNCTION_LINES)
        ]

        assert long == []

    def test_the_measure_sees_the_code(self) -> None:
        assert sum(1 for _ in tree.functions()) > 500
