"""How the demo looks: headings, lines of who / what / outcome, a table. Colours only on a terminal."""

WHO_WIDTH, WHAT_WIDTH = 11, 48


class Page:
    def __init__(self, out):
        self._out = out
        self._colours = out.isatty()

    def _paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text

    def _write(self, text):
        self._out.write(text + "\n")
        self._out.flush()

    def heading(self, text):
        self._write("\n" + self._paint("1", text))

    def line(self, who, what, outcome):
        self._write(f"  {self._paint('36', who.ljust(WHO_WIDTH))} {what.ljust(WHAT_WIDTH)} {self._paint('2', '→')} {outcome}")

    def table(self, names, rows):
        widths = [max(len(str(row[i])) for row in [names, *rows]) for i in range(len(names))]
        for number, row in enumerate([names, *rows]):
            text = "  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths))
            self._write(self._paint("4", text.rstrip()) if number == 0 else text.rstrip())

    def verdict(self, good, text):
        self._write("\n" + self._paint("32;1" if good else "31;1", text))
