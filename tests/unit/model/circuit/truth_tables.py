"""Netlists over all values of their inputs at once: bit i of a line is its value in case i."""

from model.circuit.netlist import AND, INPUT, Netlist


def input_table(number: int, inputs: int) -> int:
    """The values of input `number` over all 2^inputs cases: bit `number` of the case."""
    period, half = 2 << number, 1 << number
    block = ((1 << half) - 1) << half
    return sum(block << start for start in range(0, 1 << inputs, period))


def truth_tables(net: Netlist, inputs: list[int], outputs: list[int]) -> list[int]:
    """The table of every output literal, where input k has bit k of the case."""
    every = (1 << (1 << len(inputs))) - 1
    given = {literal >> 1: input_table(k, len(inputs)) for k, literal in enumerate(inputs)}
    tables: list[int] = []

    def value(literal: int) -> int:
        return tables[literal >> 1] ^ (every if literal & 1 else 0)

    for number, (kind, left, right) in enumerate(net.gates):
        if number == 0:
            tables.append(0)
        elif kind == INPUT:
            tables.append(given[number])
        else:
            a, b = value(left), value(right)
            tables.append(a & b if kind == AND else a ^ b)
    return [value(literal) for literal in outputs]
