"""Every construct that the language rejects, each with the message that its author gets.

Below the line that is shown stand the carets with the sentence, and the way out. `test_errors` puts
the whole message together from them and compares it.
"""
# fmt: off
# ruff: noqa

from functools import wraps

from model.language import *
from model.language import ProgramSource

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages
states = names("FREE", "USED")
FREE, USED = states
limit = 3


def memory(p):
    """What the bodies below refer to."""
    p.shared("x", uint(2))
    p.shared("y", uint(2))
    p.shared("wide", uint(64))
    p.shared("page", pages)
    p.shared("state", states)
    p.array("a", 3, uint(2))
    p.array("count", pages, uint(2))
    p.ghost("g", uint(2))
    p.spinlock("lock")
    p.mutex("mutex")
    p.mutex("slow", two_step_unlock=True)
    p.rcu(grace_periods_max=1, callbacks=1)


def in_thread(body):
    """A program with one thread."""
    def around(p):
        memory(p)
        p.thread()(body)

    return ProgramSource(body.__name__, around, 100, {})


def in_oracle(body):
    """A program with an invariant."""
    def around(p):
#   ^~~~~~~~~~~~~~ the initial state breaks an invariant: x is 1
#   mend the initial values or the invariant
        memory(p)
        p.thread()(fine)
        p.invariant(body)

    return ProgramSource(body.__name__, around, 100, {})


def fine():
    WRITE_ONCE(x, 1)


# -- names -----------------------------------------------------------------------------------------

@in_thread
def read_before_assignment():
    WRITE_ONCE(x, own)
#                 ^~~ `own` is not known here
#                 declare it, import it from model.language, or assign it


@in_thread
def assigned_on_one_path_only():
    if READ_ONCE(x) == 0:
        own = READ_ONCE(y)
    WRITE_ONCE(x, own)
#                 ^~~ `own` may be read before it is assigned
#                 assign it on every path first


def put_maybe(wanted):
    if wanted == 1:
        found = READ_ONCE(x)
    WRITE_ONCE(y, found)
#                 ^~~~~ `found` may be read before it is assigned
#                 assign it on every path first


@in_thread
def stale_local_of_an_earlier_call():
    put_maybe(1)
    wanted = READ_ONCE(x)
    put_maybe(wanted)


@in_thread
def unknown_name():
    WRITE_ONCE(x, unheard_of)
#                 ^~~~~~~~~~ `unheard_of` is not known here
#                 declare it, import it from model.language, or assign it


@program()
def variable_named_as_a_python_value(p):
    p.shared("limit", uint(2))

    @p.thread()
    def body():
        WRITE_ONCE(limit, 1)
#                  ^~~~~ `limit` is a shared variable, and something else in Python
#                  give one of them another name


@program()
def variable_with_two_names(p):
    slot = p.shared("head", uint(2))
#   ^~~~ `slot` is declared as 'head'
#   give it one name


@program()
def variable_with_two_names_at_once(p):
    first = second = p.shared("first", uint(2))
#           ^~~~~~ `second` is declared as 'first'
#           give it one name


@program()
def variable_with_two_names_and_an_annotation(p):
    slot: object = p.shared("head", uint(2))
#   ^~~~ `slot` is declared as 'head'
#   give it one name


def declare_first(p):
    return p.shared("first", uint(2))


@program()
def variable_with_a_second_name_read(p):
    second = declare_first(p)

    @p.thread()
    def body():
        WRITE_ONCE(second, 1)
#                  ^~~~~~ `second` is declared as 'first'
#                  give it one name


@program()
def array_with_a_second_name_assigned(p):
    second = p.array.__call__("first", 2, uint(2))

    @p.thread()
    def body():
        with atomic():
            second[0] = 1
#           ^~~~~~ `second` is declared as 'first'
#           give it one name


@in_thread
def attribute_of_a_shared_variable():
    WRITE_ONCE(x, y.counter)
#                 ^~~~~~~~~ only declarations have attributes
#                 index an array: `count[page]`


@program()
def unknown_parameter_in_a_body(p):
    memory(p)

    @p.thread()
    def body():
        WRITE_ONCE(x, p.lookups)
#                     ^~~~~~~~~ `Declarations` has no `lookups`
#                     declare the parameter in @program(…)


@in_thread
def counter_read_after_its_loop():
    for i in range(2):
        WRITE_ONCE(x, i)
    WRITE_ONCE(y, i)
#                 ^ `i` is read before it is assigned
#                 assign it on every path first


# -- accesses --------------------------------------------------------------------------------------

@in_thread
def two_accesses_in_one_statement():
    if READ_ONCE(page) != NONE and atomic_inc_not_zero(count[HEAD]):
#      ^~~~~~~~~~~~~~~             ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ two shared accesses in one statement: `page` and `count[…]`
#      read one into a local first, or write `with atomic():` if the hardware does both at once
        WRITE_ONCE(x, 1)


@in_thread
def an_access_inside_an_access():
    WRITE_ONCE(x, READ_ONCE(y))
#   ^~~~~~~~~~~~~~^~~~~~~~~~~~~ two shared accesses in one statement: `y` and `x`
#                 read one into a local first, or write `with atomic():` if the hardware does both at once


@in_thread
def an_access_inside_an_index():
    WRITE_ONCE(a[READ_ONCE(x)], 1)
#   ^~~~~~~~~~~~~^~~~~~~~~~~~~~~~~ two shared accesses in one statement: `x` and `a[…]`
#                read one into a local first, or write `with atomic():` if the hardware does both at once


@in_thread
def one_access_twice():
    own = READ_ONCE(x) + READ_ONCE(x)
#         ^~~~~~~~~~~~   ^~~~~~~~~~~~ two shared accesses in one statement: `x` and `x`
#         read one into a local first, or write `with atomic():` if the hardware does both at once


def read_y():
    return READ_ONCE(y)
#          ^~~~~~~~~~~~ two shared accesses in one statement: `y` and `x`
#          read one into a local first, or write `with atomic():` if the hardware does both at once


@in_thread
def a_second_access_in_a_function():
    WRITE_ONCE(x, read_y())


@in_thread
def an_access_in_an_argument():
    put_maybe(READ_ONCE(x))
#             ^~~~~~~~~~~~ an access inside the arguments of a call
#             read it into a local first


@in_thread
def an_access_in_any():
    if any(READ_ONCE(a[i]) == 1 for i in range(3)):
#          ^~~~~~~~~~~~~~~ two shared accesses in one statement: `a[…]` and `a[…]`
#          read one into a local first, or write `with atomic():` if the hardware does both at once
        WRITE_ONCE(x, 1)


@in_thread
def an_access_that_may_not_happen():
    own = READ_ONCE(x)
    other = own == 0 and READ_ONCE(y) == 1
#                        ^~~~~~~~~~~~~~~~~ an access that may not happen, inside a value
#                        write it as an `if` statement, or in atomic()


@in_thread
def an_access_in_one_arm():
    own = READ_ONCE(x)
    other = READ_ONCE(y) if own == 0 else 1
#           ^~~~~~~~~~~~ an access that may not happen, inside a value
#           write it as an `if` statement, or in atomic()


@in_thread
def an_access_that_may_not_happen_in_a_function():
    own = READ_ONCE(x)
    other = own == 0 or read_y() == 1
#                       ^~~~~~~~~~~~~ an access that may not happen, inside a value
#                       write it as an `if` statement, or in atomic()


@in_thread
def a_plain_read():
    own = x
#         ^ `x` is shared: say how it is read
#         write READ_ONCE(x), or read it in atomic()


@in_thread
def a_plain_read_of_an_element():
    if a[1] == 0:
#      ^~~~ `a[…]` is shared: say how it is read
#      write READ_ONCE(a[…]), or read it in atomic()
        WRITE_ONCE(x, 1)


@in_thread
def a_plain_write():
    x = 1
#   ^ `x` is shared: say how it is written
#   write WRITE_ONCE(x, …), or use atomic()


@in_thread
def a_plain_increment():
    a[1] += 1
#   ^~~~ `a[1]` is shared: say how it is written
#   write WRITE_ONCE(a[1], …), or use atomic()


@in_thread
def a_local_as_memory():
    own = READ_ONCE(x)
    WRITE_ONCE(own, 1)
#              ^~~ `own` is not a shared variable
#              declare it with p.shared or p.array


@in_thread
def a_whole_array():
    WRITE_ONCE(a, 1)
#              ^ `a` is an array
#              say which element: `a[…]`


@in_thread
def a_whole_array_as_a_value():
    WRITE_ONCE(x, a)
#                 ^ `a` is an array
#                 say which element: `a[…]`


@in_thread
def an_index_beyond_the_array():
    WRITE_ONCE(a[3], 1)
#              ^~~~ `a` has 3 elements
#              use an index below its length


@in_thread
def a_null_index():
    WRITE_ONCE(count[NONE], 1)
#              ^~~~~~~~~~~ `count` has 2 elements
#              use an index below its length


@in_thread
def a_negative_index():
    WRITE_ONCE(a[-1], 1)
#              ^~~~~ `a` has 3 elements
#              use an index below its length


@in_thread
def an_index_of_another_type():
    own = READ_ONCE(state)
    WRITE_ONCE(count[own], 1)
#              ^~~~~~~~~~ `count` has an element for each of HEAD/TAIL
#              this index is one of FREE/USED


@in_thread
def an_element_of_a_local():
    own = READ_ONCE(x)
    own[1] = 1
#   ^~~~~~ `own` is not a shared array
#   declare it with p.array


@in_thread
def too_few_arguments():
    WRITE_ONCE(x)
#   ^~~~~~~~~~~~~ WRITE_ONCE() takes 2 arguments
#   as in the kernel


@in_thread
def a_constant_out_of_range():
    WRITE_ONCE(x, 4)
#   ^~~~~~~~~~~~~~~~ `x` holds 0 to 3
#   declare a wider type


@in_thread
def a_negative_constant():
    WRITE_ONCE(x, -1)
#   ^~~~~~~~~~~~~~~~~ `x` holds 0 to 3
#   integers are unsigned


@in_thread
def a_value_of_another_type():
    WRITE_ONCE(page, USED)
#   ^~~~~~~~~~~~~~~~~~~~~~ one of FREE/USED where one of HEAD/TAIL/NONE belongs
#   use values of one type


@in_thread
def a_value_of_another_type_in_atomic():
    with atomic():
        page = USED
#       ^~~~~~~~~~~ one of FREE/USED where one of HEAD/TAIL/NONE belongs
#       use values of one type


@in_thread
def the_value_of_a_void_operation():
    own = atomic_inc(x)
#         ^~~~~~~~~~~~~ atomic_inc() has no value
#         write it as a statement of its own


@in_thread
def a_test_of_a_void_operation():
    if WRITE_ONCE(x, 1):
#      ^~~~~~~~~~~~~~~~ WRITE_ONCE() has no value
#      write it as a statement of its own
        WRITE_ONCE(y, 1)


@in_thread
def the_value_of_a_barrier():
    own = smp_mb()
#         ^~~~~~~~ smp_mb() has no value
#         write it as a statement of its own


@in_thread
def a_read_then_written_in_one_expression():
    with atomic():
        y = x + xchg(x, 1)
#               ^~~~~~~~~~ `x` is read and then written in one expression
#               read it into a local first


@in_thread
def a_bit_number_that_is_no_constant():
    own = READ_ONCE(y)
    set_bit(own, x)
#   ^~~~~~~~~~~~~~~ the bit number must be a constant
#   pass a constant


@in_thread
def a_bit_beyond_the_variable():
    set_bit(2, x)
#   ^~~~~~~~~~~~~ `x` has 2 bits
#   use a bit number below 2


@in_thread
def a_lock_as_memory():
    WRITE_ONCE(lock, 0)
#   ^~~~~~~~~~~~~~~~~~~ `lock` is a lock
#   use spin_lock, spin_trylock and spin_unlock


@in_thread
def a_lock_assigned():
    with atomic():
        lock = 0
#       ^~~~ `lock` is a lock
#       use the calls made for it


@in_thread
def memory_as_a_lock():
    spin_lock(x)
#   ^~~~~~~~~~~~ `x` is no lock
#   declare it with p.spinlock or p.mutex


@in_thread
def memory_as_a_lock_tried():
    if spin_trylock(x):
#      ^~~~~~~~~~~~~~~ `x` is no lock
#      declare it with p.spinlock or p.mutex
        WRITE_ONCE(y, 1)


@in_thread
def a_mutex_as_a_spinlock():
    spin_lock(mutex)
#   ^~~~~~~~~~~~~~~~ `mutex` is a mutex
#   use mutex_lock, mutex_trylock and mutex_unlock


@in_thread
def a_spinlock_as_a_mutex():
    if mutex_trylock(lock):
#      ^~~~~~~~~~~~~~~~~~~ `lock` is a spinlock
#      use spin_lock, spin_trylock and spin_unlock
        WRITE_ONCE(y, 1)


@in_thread
def an_access_in_the_index_of_an_increment():
    with atomic():
        a[atomic_inc_return(x)] += 1
#       ^~~~~~~~~~~~~~~~~~~~~~~ an access inside this index
#       read it into a local first


@in_thread
def memory_of_rcu_written():
    with atomic():
        rcu_gp_seq = 0
#       ^~~~~~~~~~ `rcu_gp_seq` is RCU's own
#       use the calls made for it


# -- ghosts ----------------------------------------------------------------------------------------

@in_thread
def a_ghost_as_memory():
    WRITE_ONCE(g, 1)
#   ^~~~~~~~~~~~~~~~ `g` is a ghost: it is no memory
#   read and assign it directly


@in_thread
def a_ghost_in_a_local():
    WRITE_ONCE(x, 1)
    own = g
#   ^~~~~~~ a ghost decides what the program does
#   ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_stored():
    WRITE_ONCE(x, g)
#   ^~~~~~~~~~~~~~~~ a ghost flows into shared memory
#   ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_as_an_index():
    WRITE_ONCE(a[g], 1)
#   ^~~~~~~~~~~~~~~~~~~ a ghost flows into shared memory
#   ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_assigned_to_memory():
    with atomic():
        x = g
#       ^~~~~ a ghost flows into shared memory
#       ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_a_step():
    WRITE_ONCE(x, 1)
    if g == 1:
        WRITE_ONCE(y, 1)
#       ^~~~~~~~~~~~~~~~ a ghost decides what the program does
#       ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_a_step_in_atomic():
    with atomic():
        if g == 1:
            x = 1
#           ^~~~~ a ghost decides what the program does
#           ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_an_access_in_atomic():
    with atomic():
        g = g == 1 and xchg(x, 1) == 1
#                      ^~~~~~~~~~ a ghost decides what the program does
#                      ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_the_second_operand():
    WRITE_ONCE(x, 1)
    if g == 1 and READ_ONCE(y) == 0:
#                 ^~~~~~~~~~~~~~~~~ a ghost decides what the program does
#                 ghosts may only feed ghosts and asserts
        WRITE_ONCE(y, 1)


@in_thread
def a_ghost_decides_a_local():
    own = READ_ONCE(x)
    if g == 1:
        own = 0
#       ^~~~~~~ a ghost decides what the program does
#       ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_a_return():
    WRITE_ONCE(x, 1)
    if g == 1:
        return
#       ^~~~~~ a ghost decides what the program does
#       ghosts may only feed ghosts and asserts
    WRITE_ONCE(y, 1)


@in_thread
def a_ghost_decides_a_break():
    while READ_ONCE(x) == 0:
        cpu_relax()
        if g == 1:
            break
#           ^~~~~ a ghost decides what the program does
#           ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_a_loop():
    WRITE_ONCE(x, 1)
    while g == 0:
#   ^~~~~~~~~~~~~ a ghost decides what the program does
#   ghosts may only feed ghosts and asserts
        WRITE_ONCE(y, 1)


@in_thread
def a_ghost_decides_a_wait():
    spin_until(g == 1)
#   ^~~~~~~~~~~~~~~~~~ a ghost decides what the program does
#   ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_a_lock():
    WRITE_ONCE(x, 1)
    if g == 1:
        spin_lock(lock)
#       ^~~~~~~~~~~~~~~ a ghost decides what the program does
#       ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_decides_to_relax():
    while READ_ONCE(x) == 0:
        if g == 1:
            cpu_relax()
#           ^~~~~~~~~~~ a ghost decides what the program does
#           ghosts may only feed ghosts and asserts


def ledger():
    return_ghost: uint(2) = 0
    return g + return_ghost


@in_thread
def a_ghost_returned_into_memory():
    WRITE_ONCE(x, 1)
    own = ledger()
#   ^~~~~~~~~~~~~~ a ghost decides what the program does
#   ghosts may only feed ghosts and asserts


def store(given):
    WRITE_ONCE(x, given)
#   ^~~~~~~~~~~~~~~~~~~~ a ghost flows into shared memory
#   ghosts may only feed ghosts and asserts
    WRITE_ONCE(y, given)


@in_thread
def a_ghost_passed_into_memory():
    store(g)


@noinline
def store_once(given):
    WRITE_ONCE(x, given)
#   ^~~~~~~~~~~~~~~~~~~~ a ghost flows into shared memory
#   ghosts may only feed ghosts and asserts


@in_thread
def a_ghost_passed_to_one_copy():
    store_once(g)


# -- expressions -----------------------------------------------------------------------------------

@in_thread
def a_float():
    WRITE_ONCE(x, 1.5)
#                 ^~~ `1.5` is no integer
#                 use integers


@in_thread
def a_text():
    WRITE_ONCE(x, "one")
#                 ^~~~~ `'one'` is no integer
#                 use integers


@in_thread
def none_as_null():
    if READ_ONCE(page) == None:
#                         ^~~~ `None` is no integer
#                         use integers
        WRITE_ONCE(x, 1)


@in_thread
def a_lambda():
    own = lambda: 1
#         ^~~~~~~~~ this kind of expression (Lambda) is not part of the language
#         use integers, operators and calls


@in_thread
def an_f_string():
    WRITE_ONCE(x, f"{limit}")
#                 ^~~~~~~~~~ this kind of expression (JoinedStr) is not part of the language
#                 use integers, operators and calls


@in_thread
def a_walrus():
    if (own := READ_ONCE(x)) == 0:
#       ^~~~~~~~~~~~~~~~~~~ this kind of expression (NamedExpr) is not part of the language
#       use integers, operators and calls
        WRITE_ONCE(y, 1)


@in_thread
def a_tuple():
    own = (1, 2)
#         ^~~~~~ this kind of expression (Tuple) is not part of the language
#         use integers, operators and calls


@in_thread
def a_function_as_a_value():
    WRITE_ONCE(x, fine)
#                 ^~~~ `fine` is not a value
#                 a value is an integer, a local or a shared variable


@in_thread
def a_division():
    WRITE_ONCE(x, limit // 2)
#                 ^~~~~~~~~~ `limit // 2`: this operator is not part of the language
#                 use + - * & | ^ << >>


@in_thread
def a_product_of_two_variables():
    own = READ_ONCE(x)
    WRITE_ONCE(y, own * own)
#                 ^~~~~~~~~ `*` needs a constant on its right
#                 a circuit shifts and scales by constants


@in_thread
def a_shift_by_a_variable():
    own = READ_ONCE(x)
    WRITE_ONCE(y, 1 << own)
#                 ^~~~~~~~ `<<` needs a constant on its right
#                 a circuit shifts and scales by constants


@in_thread
def a_shift_too_far():
    own = READ_ONCE(x)
    WRITE_ONCE(y, own >> 65)
#                 ^~~~~~~~~ a shift by 65
#                 shift by 0 to 64 bits


@in_thread
def a_number_in_or_used_as_a_number():
    own = READ_ONCE(x)
    WRITE_ONCE(y, own or 3)
#                 ^~~ a number in `or` whose result is used as a number
#                 compare it: C gives 0 or 1 here, Python the operand


@in_thread
def a_chained_comparison():
    own = READ_ONCE(x)
    if 0 < own < 3:
#      ^~~~~~~~~~~ a chained comparison
#      write two comparisons with `and`
        WRITE_ONCE(y, 1)


@in_thread
def an_identity():
    if READ_ONCE(page) is NONE:
#      ^~~~~~~~~~~~~~~~~~~~~~~ this comparison is not part of the language
#      use == != < <= > >= or `in (…)`
        WRITE_ONCE(y, 1)


@in_thread
def a_comparison_of_two_types():
    if READ_ONCE(page) == USED:
#      ^~~~~~~~~~~~~~~~~~~~~~~ a comparison of HEAD/TAIL/NONE with FREE/USED
#      compare values of one type
        WRITE_ONCE(y, 1)


@in_thread
def an_order_of_two_types():
    if READ_ONCE(page) < USED:
#      ^~~~~~~~~~~~~~~~~~~~~~ one of HEAD/TAIL/NONE where one of FREE/USED belongs
#      use values of one type
        WRITE_ONCE(y, 1)


@in_thread
def a_comparison_of_a_name_with_a_number():
    own = READ_ONCE(x)
    if own == HEAD:
#      ^~~~~~~~~~~ a comparison of a number with HEAD/TAIL/NONE
#      compare values of one type
        WRITE_ONCE(y, 1)


@in_thread
def a_text_compared_with_a_number():
    own = READ_ONCE(x)
    if own == "raw":
#      ^~~~~~~~~~~~ a text is only compared with a text, by == or !=
#      compare a parameter with one of its options
        WRITE_ONCE(y, 1)


@program(put=Option("raw", "late"))
def a_text_compared_by_order(p):
    memory(p)

    @p.thread()
    def body():
        if p.put < "raw":
#          ^~~~~~~~~~~~~ a text is only compared with a text, by == or !=
#          compare a parameter with one of its options
            WRITE_ONCE(x, 1)


@in_oracle
def a_thread_number_in_an_oracle():
    assert x == ME, "nobody executes this"
#               ^~ `ME` where no thread executes
#               name the thread's state


@in_thread
def the_length_of_a_scalar():
    WRITE_ONCE(x, len(y))
#                 ^~~~~~ len() of something else than an array
#                 give it an array or names


@in_thread
def any_of_a_list():
    WRITE_ONCE(x, any([1, 0]))
#                 ^~~~~~~~~~~ any() and all() take one generator
#                 write `any(x[i] for i in range(3))`


# -- calls -----------------------------------------------------------------------------------------

@in_thread
def a_python_function():
    print(1)
#   ^~~~~ `print` is not known here
#   declare it, import it from model.language, or assign it


@in_thread
def a_method():
    states.__len__()
#   ^~~~~~~~~~~~~~~~ `states.__len__` cannot be called in a body
#   call the vocabulary or a function of yours


@in_thread
def a_python_function_as_a_value():
    WRITE_ONCE(x, abs(1))
#                 ^~~ `abs` is not known here
#                 declare it, import it from model.language, or assign it


@in_thread
def a_method_as_a_value():
    WRITE_ONCE(x, states.__len__())
#                 ^~~~~~~~~~~~~~~~ `states.__len__` cannot be called in a body
#                 call the vocabulary or a function of yours


@in_thread
def a_keyword_argument():
    WRITE_ONCE(x, value=1)
#   ^~~~~~~~~~~~~~~~~~~~~~ keyword arguments are not part of the language
#   pass arguments by position


@in_thread
def a_keyword_argument_of_a_function():
    store(given=1)
#   ^~~~~~~~~~~~~~ keyword arguments are not part of the language
#   pass arguments by position


@in_thread
def a_wrong_number_of_arguments():
    store(1, 2)
#   ^~~~~~~~~~~ store() takes 1 argument
#   pass all of them


def calls_itself():
    WRITE_ONCE(x, 1)
    calls_itself()
#   ^~~~~~~~~~~~~~ calls_itself() calls itself
#   functions are inlined: write a loop


@in_thread
def recursion():
    calls_itself()


def ping():
    WRITE_ONCE(x, 1)
    pong()


def pong():
    ping()
#   ^~~~~~ ping() calls itself
#   functions are inlined: write a loop


@in_thread
def mutual_recursion():
    ping()


def returns_itself():
    return 1 + returns_itself()
#              ^~~~~~~~~~~~~~~~ returns_itself() calls itself
#              functions are inlined: write a loop


@in_thread
def recursion_in_an_expression():
    WRITE_ONCE(x, returns_itself())


def with_default(value=1):
#~~~~~~~~~~~~~~~~~~~~~~~~~ with_default() has parameters that are not plain names
#   write `def f(a, b):`, without defaults and stars
    WRITE_ONCE(x, value)


@in_thread
def a_default_argument():
    with_default(2)


def with_star(*values):
#~~~~~~~~~~~~~~~~~~~~~~ with_star() has parameters that are not plain names
#   write `def f(a, b):`, without defaults and stars
    WRITE_ONCE(x, 1)


@in_thread
def a_variable_number_of_arguments():
    with_star()


def with_keyword_only(*, value):
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ with_keyword_only() has parameters that are not plain names
#   write `def f(a, b):`, without defaults and stars
    return value


@in_thread
def a_keyword_only_argument():
    WRITE_ONCE(x, with_keyword_only())


def traced(function):
    return function


@noinline
@primitive
#^~~~~~~~~ stored_and_named() is decorated and called
#   a function that is called has no decorator but `noinline` or `primitive`
def stored_and_named():
    WRITE_ONCE(x, 1)


@in_thread
def a_primitive_of_one_copy():
    stored_and_named()


@primitive
def stored_twice():
    WRITE_ONCE(x, READ_ONCE(y))
#   ^~~~~~~~~~~~~~^~~~~~~~~~~~~ two shared accesses in one statement: `y` and `x`
#   read one into a local first, or write `with atomic():` if the hardware does both at once


@in_thread
def an_error_inside_a_primitive():
    stored_twice()


@traced
#^~~~~~ decorated() is decorated and called
#   a function that is called has no decorator but `noinline` or `primitive`
def decorated():
    WRITE_ONCE(x, 1)


@in_thread
def a_decorated_function():
    decorated()


async def asynchronous():
#~~~~~~~~~~~~~~~~~~~~~~~~ an async function cannot be compiled
#   write it with `def`
    WRITE_ONCE(x, 1)


@in_thread
def an_async_function():
    asynchronous()


shortcut = lambda: 1
#          ^~~~~~~~~ a lambda cannot be compiled
#          write it with `def`


@in_thread
def a_lambda_called():
    WRITE_ONCE(x, shortcut())


@in_thread
def a_function_with_steps_inside_an_expression():
    WRITE_ONCE(x, 1 + with_steps())
#                     ^~~~~~~~~~~~ with_steps() takes steps
#                     call it into a local first


def with_steps():
    WRITE_ONCE(y, 1)
    return 1


@in_thread
def no_value_returned():
    own = fine_function()
#         ^~~~~~~~~~~~~~~ fine_function() may end without a value
#         return one


def fine_function():
    WRITE_ONCE(x, 1)


def returns_on_one_path():
    if READ_ONCE(x) == 0:
        return 1
    return
#   ^~~~~~ a return without a value
#   this call uses the value


@in_thread
def no_value_returned_on_one_path():
    own = returns_on_one_path()


def never_returns():
    while True:
        WRITE_ONCE(x, 1)


@in_thread
def a_value_of_what_never_returns():
    own = never_returns()
#         ^~~~~~~~~~~~~~~ never_returns() never returns
#         call it as a statement


def returns_below_zero():
    own = READ_ONCE(x)
    return own - 1
#   ^~~~~~~~~~~~~~ a negative value is returned
#   integers are unsigned


@in_thread
def a_negative_value_returned():
    own = returns_below_zero()


@in_thread
def a_negative_argument():
    own = READ_ONCE(x)
    store(own - 1)
#   ^~~~~~~~~~~~~~ argument `given` may be negative
#   integers are unsigned


def counts_down(value):
    value = value - 1
    WRITE_ONCE(x, value)


@in_thread
def a_constant_for_an_assigned_parameter():
    counts_down(2)
#   ^~~~~~~~~~~~~~ parameter `value` has no width, and is assigned
#   copy it into a local: `own: uint(3) = value`


@in_thread
def an_array_for_an_assigned_parameter():
    counts_down(a)
#   ^~~~~~~~~~~~~~ `value` is assigned, and not given a value
#   use another local


def parameter_named_as_memory(y):
    y = y + 1
    WRITE_ONCE(x, y)


@in_thread
def a_parameter_with_the_name_of_memory():
    own = READ_ONCE(x)
    parameter_named_as_memory(own)
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ parameter `y` has the name of a shared variable
#   give it its own


@noinline
def raise_once(counter):
    atomic_inc(counter)


@in_thread
def one_copy_for_two_variables():
    raise_once(x)
    raise_once(y)
#   ^~~~~~~~~~~~~ a noinline function is given another `counter`
#   leave out noinline: its one copy is for one variable


@in_thread
def one_copy_for_two_types():
    store_once(1)
    store_once(2)
#   ^~~~~~~~~~~~~ `given` holds 0 to 1 since the first call
#   give a noinline function values of one type


@in_thread
def one_copy_without_a_value():
    raise_once(x)
    own = raise_once(x)
#         ^~~~~~~~~~~~~ raise_once() may end without a value
#         return one


@in_thread
def choose_inside_an_expression():
    WRITE_ONCE(x, choose(0, 1))
#                 ^~~~~~~~~~~~ choose() inside an expression
#                 choose into a local first


@in_thread
def choose_as_a_statement():
    choose(0, 1)
#   ^~~~~~~~~~~~ choose() is not a statement
#   write `x = choose(0, 1)`


@in_thread
def atomic_as_a_statement():
    atomic()
#   ^~~~~~~~ atomic() is not a statement
#   write `with atomic():`


@in_thread
def a_number_as_a_statement():
    ME()
#   ^~~~ ME() is not a statement
#   ME is a number: use it in an expression


@in_thread
def a_barrier_with_an_argument():
    smp_mb(x)
#   ^~~~~~~~~ smp_mb() takes 0 arguments
#   as in the kernel


# -- waits, locks, children ------------------------------------------------------------------------

@in_thread
def a_wait_second_in_atomic():
    with atomic():
        x = 1
        spin_until(y == 0)
#       ^~~~~~~~~~~~~~~~~~ a wait inside atomic() that does not come first
#       put it first, or before it


@in_thread
def a_lock_second_in_atomic():
    with atomic():
        x = 1
        spin_lock(lock)
#       ^~~~~~~~~~~~~~~ a wait inside atomic() that does not come first
#       put it first, or before it


@in_thread
def a_grace_period_in_atomic():
    with atomic():
        synchronize_rcu()
#       ^~~~~~~~~~~~~~~~~ a wait inside atomic() that does not come first
#       put it first, or before it


@in_thread
def a_wait_that_writes():
    spin_until(xchg(x, 1) == 0)
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~ a wait that writes
#   wait for a condition, then write


@in_thread
def a_wait_for_two_accesses():
    spin_until(READ_ONCE(x) == READ_ONCE(y))
#              ^~~~~~~~~~~~    ^~~~~~~~~~~~ two shared accesses in one statement: `x` and `y`
#              read one into a local first, or write `with atomic():` if the hardware does both at once


@in_thread
def a_wait_with_an_unknown_keyword():
    spin_until(READ_ONCE(x) == 0, timeout=3)
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `timeout` is not known here
#   write may_end_here=True


@in_thread
def a_fine_end_decided_too_late():
    own = READ_ONCE(x)
    spin_until(READ_ONCE(x) == 0, may_end_here=own)
#                                              ^~~ may_end_here is decided too late
#                                              give a constant


@program()
def an_access_in_the_index_of_a_lock(p):
    memory(p)
    p.spinlock("locks", 2)

    @p.thread()
    def body():
        spin_lock(locks[READ_ONCE(x)])
#       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ an access inside the index of a lock
#       read it into a local first


@in_thread
def an_unlock_of_two_steps_in_atomic():
    with atomic():
        mutex_unlock(slow)
#       ^~~~~~~~~~~~~~~~~~ an unlock of two steps inside atomic()
#       unlock outside, or in one step


@in_thread
def a_child_that_is_none():
    spawn(fine)
#   ^~~~~~~~~~~ spawn() needs a child thread
#   declare it with @p.thread(child=True); with instances, say which: spawn(child, 0)


@program()
def a_thread_that_is_no_child(p):
    memory(p)

    @p.thread()
    def other():
        WRITE_ONCE(x, 1)

    @p.thread()
    def body():
        spawn(other)
#       ^~~~~~~~~~~~ spawn() needs a child thread
#       declare it with @p.thread(child=True); with instances, say which: spawn(child, 0)


@program()
def one_of_several_children(p):
    memory(p)

    @p.thread(child=True, instances=2)
    def child():
        WRITE_ONCE(x, 1)

    @p.thread()
    def body():
        spawn(child)
#       ^~~~~~~~~~~~ spawn() needs a child thread
#       declare it with @p.thread(child=True); with instances, say which: spawn(child, 0)


@program()
def a_child_beyond_the_last(p):
    memory(p)

    @p.thread(child=True, instances=2)
    def child():
        WRITE_ONCE(x, 1)

    @p.thread()
    def body():
        spawn(child, 2)
#       ^~~~~~~~~~~~~~~ spawn() needs a child thread
#       declare it with @p.thread(child=True); with instances, say which: spawn(child, 0)


# -- RCU -------------------------------------------------------------------------------------------

@program()
def a_reader_without_rcu(p):
    p.shared("x", uint(2))

    @p.thread()
    def body():
        rcu_read_lock()
#       ^~~~~~~~~~~~~~~ rcu_read_lock() without the RCU for it
#       write `p.rcu(grace_periods_max=…)`


@program()
def a_callback_without_slots(p):
    p.shared("x", uint(2))
    p.rcu(grace_periods_max=1)

    @p.thread()
    def body():
        call_rcu(store, 1)
#       ^~~~~~~~~~~~~~~~~~ call_rcu() without the RCU for it
#       say how many slots it has: `p.rcu(…, callbacks=2)`


@in_thread
def interrupts_off_before_they_were_readers():
    local_irq_disable()
#   ^~~~~~~~~~~~~~~~~~~ local_irq_disable() without the RCU for it
#   write `p.rcu(…, irq_off_readers=True)`: such regions are readers since v5.0


@in_thread
def a_callback_that_is_no_function():
    call_rcu(x, 1)
#            ^ `x` is no function
#            write call_rcu(function, argument)


@in_thread
def a_number_as_a_callback():
    call_rcu(1, 1)
#            ^ `1` is no function
#            write call_rcu(function, argument)


@in_thread
def names_as_the_argument_of_a_callback():
    call_rcu(store, pages)
#                   ^~~~~ `pages` is not a value
#                   give an integer or a local


@in_thread
def a_callback_with_two_arguments():
    call_rcu(two_arguments, 1)


def two_arguments(first, second):
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ two_arguments() is a callback: it takes one argument
#   declare one parameter
    WRITE_ONCE(x, first)


def one(v): WRITE_ONCE(x, 1)
def two(v): WRITE_ONCE(x, 1)
def three(v): WRITE_ONCE(x, 1)
def four(v): WRITE_ONCE(x, 1)
def five(v): WRITE_ONCE(x, 1)
def six(v): WRITE_ONCE(x, 1)
def seven(v): WRITE_ONCE(x, 1)
def eight(v): WRITE_ONCE(x, 1)


@in_thread
def too_many_callbacks():
    call_rcu(one, 1)
    call_rcu(two, 1)
    call_rcu(three, 1)
    call_rcu(four, 1)
    call_rcu(five, 1)
    call_rcu(six, 1)
    call_rcu(seven, 1)
    call_rcu(eight, 1)
#            ^~~~~ too many callbacks
#            call_rcu() knows at most 7 functions


@in_thread
def a_cookie_in_a_ghost_decides():
    WRITE_ONCE(x, 1)
    if g == 1:
        rcu_read_lock()
#       ^~~~~~~~~~~~~~~ a ghost decides what the program does
#       ghosts may only feed ghosts and asserts


# -- loops -----------------------------------------------------------------------------------------

@in_thread
def a_loop_without_an_access():
    own = READ_ONCE(x)
    while own == 0:
#   ^~~~~~~~~~~~~~~ a loop without a shared access
#   it would never end or never be preempted: use `for … in range(…)`, or access something shared
        pass


@in_thread
def a_loop_that_only_chooses():
    while True:
        own = choose(0, 1)
        if own == 1:
#          ^~~~~~~~ a loop without a shared access
#          it would never end or never be preempted: use `for … in range(…)`, or access something shared
            WRITE_ONCE(x, 1)


@in_thread
def a_busy_loop():
    while READ_ONCE(x) == 0:
#   ^~~~~~~~~~~~~~~~~~~~~~~~ a busy loop without cpu_relax()
#   call cpu_relax() in it, or use spin_until(…)
        pass


@in_thread
def a_busy_loop_on_a_lock():
    while not spin_trylock(lock):
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~ a busy loop without cpu_relax()
#   call cpu_relax() in it, or use spin_until(…)
        pass


@in_thread
def a_while_loop_in_atomic():
    with atomic():
        while x == 0:
#       ^~~~~~~~~~~~~ a while loop inside atomic()
#       use `for … in range(…)`, which is bounded
            x = 1


@in_thread
def a_for_over_a_list():
    for i in [0, 1]:
#            ^~~~~~ a `for` that is not over range(…) with constants
#            write `for i in range(3)`, or a while loop
        WRITE_ONCE(x, i)


@in_thread
def a_for_over_a_variable():
    own = READ_ONCE(x)
    for i in range(own):
#            ^~~~~~~~~~ a `for` that is not over range(…) with constants
#            write `for i in range(3)`, or a while loop
        WRITE_ONCE(x, i)


@in_thread
def a_for_with_a_stride():
    for i in range(0, 4, 2):
#            ^~~~~~~~~~~~~~ a `for` that is not over range(…) with constants
#            write `for i in range(3)`, or a while loop
        WRITE_ONCE(x, i)


@in_thread
def a_for_with_many_rounds():
    for i in range(1025):
#            ^~~~~~~~~~~ a loop of 1025 rounds
#            at most 1024 are compiled
        WRITE_ONCE(x, 1)


@in_thread
def a_for_with_two_counters():
    for i, j in range(3):
#   ^~~~~~~~~~~~~~~~~~~~~ a `for` with an `else`, or with several counters
#   write `for i in range(3):`
        WRITE_ONCE(x, i)


@in_thread
def a_for_with_an_else():
    for i in range(2):
#   ^~~~~~~~~~~~~~~~~~ a `for` with an `else`, or with several counters
#   write `for i in range(3):`
        WRITE_ONCE(x, i)
    else:
        WRITE_ONCE(x, 0)


@in_thread
def a_while_with_an_else():
    while READ_ONCE(x) == 0:
#   ^~~~~~~~~~~~~~~~~~~~~~~~ a `while` with an `else`
#   set a local before `break`, and test it after
        cpu_relax()
    else:
        WRITE_ONCE(x, 0)


@in_thread
def a_counter_assigned():
    for i in range(2):
        WRITE_ONCE(x, i)
        i = 0
#       ^ `i` is a loop counter
#       use another name


@in_thread
def a_counter_that_was_a_local():
    i: uint(2) = 3
#   ^ `i` is a loop counter
#   use another name
    for i in range(2):
        WRITE_ONCE(x, i)


@in_thread
def a_counter_used_twice():
    for i in range(2):
        for i in range(2):
#           ^ `i` is in use already
#           give the counter its own name
            WRITE_ONCE(x, i)


@in_thread
def a_counter_with_the_name_of_memory():
    for y in range(2):
#       ^ `y` is in use already
#       give the counter its own name
        WRITE_ONCE(x, y)


@in_thread
def a_choice_into_a_counter():
    for i in range(2):
        WRITE_ONCE(x, i)
        i = choose(0, 1)
#       ^ `i` is a loop counter
#       use another name


# -- statements ------------------------------------------------------------------------------------

@in_thread
def code_after_a_return():
    WRITE_ONCE(x, 1)
    return
    WRITE_ONCE(y, 1)
#   ^~~~~~~~~~~~~~~~ this can never be reached
#   delete it


@in_thread
def a_tuple_assigned():
    own, other = READ_ONCE(x), 1
#   ^~~~~~~~~~ this cannot be assigned
#   assign a local, a ghost, or in atomic() a shared variable


@in_thread
def a_chained_assignment():
    own = other = READ_ONCE(x)
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~ an assignment to several targets
#   write one assignment for each


@in_thread
def an_attribute_assigned():
    states.type = 1
#   ^~~~~~~~~~~ this cannot be assigned
#   assign a local, a ghost, or in atomic() a shared variable


@in_thread
def a_local_without_a_value():
    own: uint(2)
#   ^~~~~~~~~~~~ a local without a value
#   give it one: `x: uint(2) = 0`


@in_thread
def a_local_without_a_width():
    own = 1
#   ^~~~~~~ local `own` has no width
#   say how many bits it has: `own: uint(3) = …`


@in_thread
def a_local_that_may_be_negative():
    own = READ_ONCE(x)
    other = own - 1
#   ^~~~~~~~~~~~~~~ local `other` may be negative
#   declare it: `other: uint(3) = …`


@in_thread
def a_local_of_too_many_bits():
    own = READ_ONCE(wide)
    other = own + 1
#   ^~~~~~~~~~~~~~~ local `other` needs 65 bits
#   keep below 64 bits


@in_thread
def a_local_declared_twice():
    own: uint(2) = 1
    own: uint(3) = 1
#   ^~~~~~~~~~~~~~~~ local `own` is declared twice, with different types
#   declare it once


@in_thread
def a_local_too_narrow():
    own: uint(2) = 4
#   ^~~~~~~~~~~~~~~~ `local own` holds 0 to 3
#   declare a wider type


@in_thread
def a_local_of_no_type():
    own: int = 1
#        ^~~ not a type
#        write `uint(3)`, `boolean` or names


@in_thread
def a_local_of_a_type_that_fails():
    own: unheard_of = 1
#        ^~~~~~~~~~ not a type: name 'unheard_of' is not defined
#        write `uint(3)`, `boolean` or names


@in_thread
def a_local_of_seventy_bits():
    own: uint(70) = 1
#        ^~~~~~~~ uint(70): a width is 1 to 64 bits
#        write uint(3) for 0 to 7


@in_thread
def a_local_with_the_name_of_memory():
    y: uint(2) = 1
#   ^ `y` is a shared variable
#   use another name for the local


@in_thread
def a_deletion():
    own = READ_ONCE(x)
    del own
#   ^~~~~~~ this kind of statement (Delete) is not part of the language
#   use assignments, if, while, for … in range(…), with atomic(), assert, return and calls


@in_thread
def an_exception_caught():
    try:
#   ^~~~ this kind of statement (Try) is not part of the language
#   use assignments, if, while, for … in range(…), with atomic(), assert, return and calls
        WRITE_ONCE(x, 1)
    except ValueError:
        pass


@in_thread
def an_exception_raised():
    raise ValueError
#   ^~~~~~~~~~~~~~~~ this kind of statement (Raise) is not part of the language
#   use assignments, if, while, for … in range(…), with atomic(), assert, return and calls


@in_thread
def an_import():
    import time
#   ^~~~~~~~~~~ this kind of statement (Import) is not part of the language
#   use assignments, if, while, for … in range(…), with atomic(), assert, return and calls


@in_thread
def a_global():
    global limit
#   ^~~~~~~~~~~~ a `global` statement
#   declare shared memory with p.shared
    limit = 1


def outer(p):
    own = 1

    @p.thread()
    def body():
        nonlocal own
#       ^~~~~~~~~~~~ a `nonlocal` statement
#       declare shared memory with p.shared
        own = 2


@program()
def a_nonlocal(p):
    memory(p)
    outer(p)


@in_thread
def a_function_inside_a_body():
    def inner(value=1):
#   ^~~~~~~~~~~~~~~~~~~ a function inside a body
#   define it outside, next to the thread
        WRITE_ONCE(x, value)
    inner()


@in_thread
def a_class_inside_a_body():
    class Inner:
#   ^~~~~~~~~~~~ this kind of statement (ClassDef) is not part of the language
#   use assignments, if, while, for … in range(…), with atomic(), assert, return and calls
        pass


@in_thread
def a_match_statement():
    match READ_ONCE(x):
#   ^~~~~~~~~~~~~~~~~~~ this kind of statement (Match) is not part of the language
#   use assignments, if, while, for … in range(…), with atomic(), assert, return and calls
        case 0:
            pass


@in_thread
def a_value_as_a_statement():
    own = READ_ONCE(x)
    own
#   ^~~ a statement that does nothing
#   call something, or delete it


@in_thread
def a_generator():
    yield READ_ONCE(x)
#   ^~~~~~~~~~~~~~~~~~ this kind of expression (Yield) is not part of the language
#   use integers, operators and calls


@in_thread
def a_with_of_a_lock():
    with lock:
#   ^~~~~~~~~~ a with statement that is not atomic()
#   write `with atomic():`
        WRITE_ONCE(x, 1)


@in_thread
def a_with_of_something_else():
    with open("x"):
#        ^~~~ `open` is not known here
#        declare it, import it from model.language, or assign it
        WRITE_ONCE(x, 1)


@in_thread
def two_withs_in_one():
    with atomic(), atomic():
#   ^~~~~~~~~~~~~~~~~~~~~~~~ several with statements in one
#   write `with atomic():`
        x = 1


@in_thread
def atomic_with_a_number():
    with atomic(3):
#        ^~~~~~~~~ atomic() takes one text or nothing
#        write atomic("swap")
        x = 1


@in_thread
def a_choice_of_variables():
    own = READ_ONCE(x)
    other = choose(own, 1)
#           ^~~~~~~~~~~~~~ choose() needs constants to choose from
#           write choose(0, 1, 2)


@in_thread
def a_negative_choice():
    own = choose(-1, 1)
#         ^~~~~~~~~~~~~ a choice below 0
#         integers are unsigned


@in_thread
def a_choice_in_atomic():
    with atomic():
        own = choose(0, 1)
#             ^~~~~~~~~~~~ choose() inside atomic()
#             choose into a local before


@in_thread
def a_choice_into_memory():
    x = choose(0, 1)
#   ^ `x` is shared: say how it is written
#   write WRITE_ONCE(x, …), or use atomic()


@in_thread
def a_choice_into_a_ghost():
    WRITE_ONCE(x, 1)
    g = choose(0, 1)
#   ^ a choice goes into a local
#   choose into a local, then write it


@in_thread
def a_choice_too_wide():
    own: uint(1) = choose(0, 2)
#                  ^~~~~~~~~~~~ `own` holds 0 to 1
#                  declare a wider type


@in_thread
def a_choice_of_two_types():
    own = choose(HEAD, USED)
#         ^~~~~~~~~~~~~~~~~~ one of FREE/USED where one of HEAD/TAIL/NONE belongs
#         use values of one type


@in_thread
def a_choice_with_weights():
    own = choose(0, 1, weights=(1, 9))
#         ^~~~~~~~~~~~~~~~~~~~~~~~~~~~ keyword arguments are not part of the language
#         pass arguments by position


@in_thread
def an_assertion_without_a_sentence():
    WRITE_ONCE(x, 1)
    assert y == 0
#   ^~~~~~~~~~~~~ an assertion without a sentence
#   say what is wrong: `assert count != 0, "…"`


@in_thread
def an_assertion_that_writes():
    WRITE_ONCE(x, 1)
    assert xchg(y, 1) == 0, "y was taken"
#          ^~~~~~~~~~ an assertion that writes
#          assert only what can be read


@in_thread
def a_thread_that_returns_a_value():
    WRITE_ONCE(x, 1)
    return 1
#   ^~~~~~~~ a thread returns no value
#   write `return`


# -- bodies ----------------------------------------------------------------------------------------

@in_thread
def a_thread_with_a_parameter(instance):
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ a thread takes no parameters
#   use parameters of the program
    WRITE_ONCE(x, instance)


@in_thread
def a_thread_with_stars(*instances):
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ a thread takes no parameters
#   use parameters of the program
    WRITE_ONCE(x, 1)


@in_thread
@traced
#^~~~~~ a thread has a second decorator
#   its body is compiled, and no decorator can change it
def a_thread_with_a_second_decorator():
    WRITE_ONCE(x, 1)


@in_thread
def a_thread_without_a_step():
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ a_thread_without_a_step() accesses nothing shared
#   give it a step
    own: uint(2) = 1


@in_thread
def an_assertion_before_the_first_step():
    assert x == 0, "x begins with 0"
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ an assertion, a check of a range, or a ghost before the first step
#   put it after an access
    WRITE_ONCE(x, 1)


@in_thread
def a_ghost_before_the_first_step():
    g = 1
#   ^~~~~ an assertion, a check of a range, or a ghost before the first step
#   put it after an access
    WRITE_ONCE(x, 1)


@in_oracle
def an_oracle_that_branches():
    if x == 1:
#   ^~~~~~~~~~ an oracle only asserts
#   write `assert condition, "sentence"`
        assert y == 0, "both"


@in_oracle
def an_oracle_that_acts():
    atomic_inc(x)
#   ^~~~~~~~~~~~~ an oracle only asserts
#   write `assert condition, "sentence"`


@in_oracle
def an_oracle_that_writes():
    assert atomic_inc_return(x) == 1, "x was 0"
#          ^~~~~~~~~~~~~~~~~~~~ an assertion that writes
#          assert only what can be read


@in_oracle
def an_oracle_with_a_parameter(state):
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ an oracle takes no parameters
#   use parameters of the program
    assert state == 0, "free"


@in_oracle
def an_invariant_that_does_not_hold_at_first():
    assert x == 1, "x is 1"


@program()
def a_program_without_a_thread(p):
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ a program without a thread
#   declare one with @p.thread()
    memory(p)


@program()
def a_program_that_cannot_begin(p):
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ no thread can take a first step
#   some thread must be able to start
    p.shared("x", uint(2))

    @p.thread()
    def body():
        spin_until(READ_ONCE(x) == 1)


@program()
def a_program_without_its_parameter():
#~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ a program takes one parameter
#   write `def name(p):`
    pass


# -- declarations ----------------------------------------------------------------------------------

@program()
def a_type_that_is_none(p):
    x = p.shared("x", int)
#       ^~~~~~~~~~~~~~~~~~ `x` has no type
#       a type is uint(…), boolean or names(…)


@program()
def a_type_left_out(p):
    x = p.shared("x")
#       ^~~~~~~~~~~~~ TypeError: Declarations.shared() missing 1 required positional argument: 'kind'
#       mend what is executed here


@program()
def a_width_of_nothing(p):
    x = p.shared("x", uint(0))
#                     ^~~~~~~ uint(0): a width is 1 to 64 bits
#                     write uint(3) for 0 to 7


@program()
def a_name_that_is_none(p):
    p.shared("two words", uint(2))
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ 'two words' is no name
#   a shared variable is named as in Python


@program()
def a_name_of_python(p):
    p.shared("if", uint(2))
#   ^~~~~~~~~~~~~~~~~~~~~~~ 'if' is no name
#   a shared variable is named as in Python


@program()
def a_name_of_the_language(p):
    p.shared("choose", uint(2))
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~ `choose` is a word of the language
#   give it another name


@program()
def a_name_of_rcu(p):
    p.shared("rcu_gp_seq", uint(2))
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `rcu_gp_seq` is a name of RCU's
#   give it another name


@program()
def a_name_declared_twice(p):
    x = p.shared("x", uint(2))
    x = p.shared("x", uint(3))
#       ^~~~~~~~~~~~~~~~~~~~~~ `x` is declared twice
#       give each variable its own name


@program()
def an_initial_value_out_of_range(p):
    x = p.shared("x", uint(2), init=4)
#       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `x` begins with 4
#       its type holds 0 to 3


@program()
def an_initial_value_that_is_no_integer(p):
    x = p.shared("x", uint(2), init=1.5)
#       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `x` begins with 1.5
#       an initial value is an integer


@program()
def an_initial_value_of_another_type(p):
    page = p.shared("page", pages, init=USED)
#          ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `page` is declared with one of FREE/USED
#          it is over HEAD/TAIL/NONE


@program()
def too_many_initial_values(p):
    a = p.array("a", 2, uint(2), init=[1, 2, 3])
#       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `a` has 2 elements, and 3 initial values
#       give one value for all, a list, or a dict by index


@program()
def an_initial_value_for_no_element(p):
    a = p.array("a", 2, uint(2), init={2: 1})
#       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `a` has no element 2
#       it has 2


@program()
def an_initial_value_for_an_element_of_another_type(p):
    count = p.array("count", pages, uint(2), init={USED: 1})
#           ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `count` is declared with one of FREE/USED
#           it is over HEAD/TAIL/NONE


@program()
def an_array_of_nothing(p):
    a = p.array("a", 0, uint(2))
#       ^~~~~~~~~~~~~~~~~~~~~~~~ `a` is an array over 0
#       give names(…), or a number of elements


@program()
def an_array_over_a_type(p):
    a = p.array("a", uint(2), uint(2))
#       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ `a` is an array over IntType(width=2, wrapping=False, names=(), null=False)
#       give names(…), or a number of elements


@program()
def names_that_are_one(p):
    both = names("HEAD", "HEAD")
#          ^~~~~~~~~~~~~~~~~~~~~ names() needs different names, at least one
#          write names("HEAD", "TAIL")


@program()
def rcu_twice(p):
    p.rcu(grace_periods_max=1)
    p.rcu(grace_periods_max=1)
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~ p.rcu() is declared twice
#   declare it once


@program()
def rcu_with_less_than_nothing(p):
    p.rcu(grace_periods_max=-1)
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~ p.rcu() is given -1
#   it takes whole numbers that are not negative


@program()
def rcu_with_too_many_grace_periods(p):
    p.rcu(grace_periods_max=1 << 62)
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ 4611686018427387904 grace periods need 67 bits
#   declare fewer


@program()
def rcu_that_begins_nowhere(p):
    p.rcu(grace_periods_max=1, gp_seq_init="late")
#   ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~ gp_seq_init='late'
#   give a whole number


@program()
def a_thread_without_parentheses(p):
    @p.thread
#    ^~~~~~~~ @p.thread without parentheses
#    write `@p.thread()`
    def body():
        WRITE_ONCE(x, 1)


@program()
def no_thread_at_all(p):
    @p.thread(instances=0)
#    ^~~~~~~~~~~~~~~~~~~~~ instances=0
#    a body has at least one thread
    def body():
        WRITE_ONCE(x, 1)


@program()
def two_bodies_of_one_name(p):
    @p.thread()
    def body():
        WRITE_ONCE(x, 1)

    @p.thread()
#    ^~~~~~~~~~ two bodies are called body()
#    give each its own name
    def body():
        WRITE_ONCE(x, 2)


@program()
def a_thread_named_as_one_of_rcu(p):
    @p.thread()
#    ^~~~~~~~~~ rcu_gp_kthread() is a name of RCU's
#    give it another name
    def rcu_gp_kthread():
        WRITE_ONCE(x, 1)


@program()
def a_thread_that_is_no_function(p):
    p.thread()(3)
#   ^~~~~~~~~~~~~ p.thread() is given no function
#   decorate a function with it


@program()
def a_thread_that_is_a_lambda(p):
    p.thread()(lambda: 1)
#              ^~~~~~~~~ a lambda cannot be compiled
#              write it with `def`


@program()
def a_thread_that_is_async(p):
    @p.thread()
    async def body():
#   ^~~~~~~~~~~~~~~~~ an async function cannot be compiled
#   write it with `def`
        WRITE_ONCE(x, 1)


@program()
def an_invariant_that_is_no_function(p):
    p.invariant(True)
#   ^~~~~~~~~~~~~~~~~ p.invariant is given no function
#   decorate a function with it


@program()
def an_undeclared_parameter(p):
    x = p.shared("x", uint(2), init=p.first)
#                                   ^~~~~~~ AttributeError: the program has no parameter `first`
#                                   mend what is executed here


@program()
def an_error_of_python(p):
    x = p.shared("x", uint(1 // 0))
#                          ^~~~~~ ZeroDivisionError: integer division or modulo by zero
#                          mend what is executed here


@program()
def called_in_python(p):
    READ_ONCE(1)
#   ^~~~~~~~~~~~ TypeError: READ_ONCE() belongs in the body of a thread, which gracefuzz compiles
#   mend what is executed here
