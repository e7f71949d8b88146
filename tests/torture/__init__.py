"""The torture: a fleet under load while everything round it fails by a seeded schedule, and a check from outside.

    fleet     the system: programs, broker, database, clouds, and a proxy on each way between them
    schedule  what fails when, from a seed alone
    faults    how each failure is made and undone
    load      what the senders do meanwhile
    settle    waiting until all that can end has ended
    check     the invariants, looked at from outside
    report    what happened; shrink: which few faults are enough for a violation
"""
