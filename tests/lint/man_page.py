"""The man page of sluicectl against the program: every command and every option of either is in the other, and the page formats
without a warning.

    man_page.py SLUICECTL PAGE
"""

import os
import re
import subprocess
import sys

ENTRY = re.compile(r"^\.TP\n\.B (.+)$", re.MULTILINE)
OPTION = re.compile(r"--([a-z][a-z-]*)")
FLAGS = {"json", "yes", "help", "version", "check", "config"}  # of every command


def page_entries(text):
    """{"jobs show ID": options named in its entry}, of the section COMMANDS."""
    section = text.partition(".SH COMMANDS\n")[2].partition("\n.SH ")[0].replace("\\-", "-")
    parts = ENTRY.split(section)[1:]
    return {command: set(OPTION.findall(body)) for command, body in zip(parts[::2], parts[1::2])}


def run(*arguments):
    # not a leak checker's business
    return subprocess.run(arguments, capture_output=True, text=True, check=True,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}).stdout


def help_entries(program):
    """{"jobs show ID": options that it takes}, as printed for each noun."""
    nouns = {line.split()[0] for line in run(program, "--help").splitlines() if re.match(r"  [a-z]", line)}
    entries, command = {}, None
    for noun in sorted(nouns):
        for line in run(program, noun, "--help").splitlines():
            if re.match(r"  [a-z]", line):
                command = re.split(r"  +", line.strip())[0]
                entries[command] = set()
            elif re.match(r"      --", line):
                entries[command] |= set(OPTION.findall(line))
    return entries


def differences(told, page):
    for command in sorted(told.keys() - page.keys()):
        yield f"the page has no entry \"{command}\""
    for command in sorted(page.keys() - told.keys()):
        yield f"sluicectl has no command \"{command}\""
    for command in sorted(told.keys() & page.keys()):
        for option in sorted(told[command] - page[command]):
            yield f"\"{command}\" takes --{option}, and the page doesn't say so"
        for option in sorted(page[command] - told[command] - FLAGS):
            yield f"the page says that \"{command}\" takes --{option}"


def main(program, path):
    with open(path, encoding="utf-8") as file:
        found = list(differences(help_entries(program), page_entries(file.read())))
    formatted = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", path], capture_output=True, text=True, check=False)
    found += formatted.stderr.splitlines()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
