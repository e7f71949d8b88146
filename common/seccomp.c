/* seccomp.c - see seccomp.h. The filter is a classic BPF program: architecture, then one comparison a system call. */
#include "common/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define NUMBERS_END  0x40000000u /* from here on: the x32 calls, the same ones under other numbers */
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define NUMBERS_END  0x7fffffffu
#endif

/* LeakSanitizer looks at our threads from a task of its own, made by a clone that no library makes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CLONE_NEEDED (CLONE_THREAD | CLONE_UNTRACED)
#else
#define CLONE_NEEDED CLONE_THREAD
#endif

#ifdef ARCHITECTURE

static const int REFUSED[] = {
    /* other programs and processes */
    SYS_execve,
    SYS_execveat,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
#endif
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    SYS_ptrace,
#endif
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
    /* another identity */
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_capset,
    SYS_personality,
    /* another view of the machine */
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_mknodat,
    SYS_quotactl,
    SYS_sethostname,
    SYS_setdomainname,
#ifdef SYS_mknod
    SYS_mknod,
#endif
#ifdef SYS_open_tree
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
    /* the kernel's rarer doors */
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_syslog,
    SYS_vhangup,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
#endif
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
};

static const unsigned FAMILIES[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK /* getaddrinfo */};

#define ANSWER_REFUSE  (SECCOMP_RET_ERRNO | EPERM)
#define ANSWER_UNKNOWN (SECCOMP_RET_ERRNO | ENOSYS)
#define FIRST_ARGUMENT (offsetof(struct seccomp_data, args)) /* its lower half: both architectures are little-endian   \
                                                              */
#define PROGRAM_MAX (2 * SL_ARRAY_LEN(REFUSED) + 2 * SL_ARRAY_LEN(FAMILIES) + 32)

struct program {
    struct sock_filter steps[PROGRAM_MAX];
    size_t count;
};

static void step(struct program *program, unsigned code, uint32_t value, unsigned if_true, unsigned if_false)
{
    SL_ASSERT(program->count < PROGRAM_MAX && if_true < 256 && if_false < 256);
    program->steps[program->count++] =
        (struct sock_filter){.code = (uint16_t)code, .jt = (uint8_t)if_true, .jf = (uint8_t)if_false, .k = value};
}

static void load(struct program *program, size_t offset)
{
    step(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void answer(struct program *program, uint32_t verdict)
{
    step(program, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Ends with `verdict` where what was loaded compares so; goes on behind it otherwise. */
static void answer_if(struct program *program, unsigned comparison, uint32_t value, uint32_t verdict)
{
    step(program, BPF_JMP | BPF_K | comparison, value, 0, 1);
    answer(program, verdict);
}

static void write_program(struct program *program)
{
    load(program, offsetof(struct seccomp_data, arch));
    step(program, BPF_JMP | BPF_K | BPF_JEQ, ARCHITECTURE, 1, 0);
    answer(program, SECCOMP_RET_KILL_PROCESS);
    load(program, offsetof(struct seccomp_data, nr));
    answer_if(program, BPF_JGE, NUMBERS_END, ANSWER_REFUSE);
    for (size_t i = 0; i < SL_ARRAY_LEN(REFUSED); i++)
        answer_if(program, BPF_JEQ, (uint32_t)REFUSED[i], ANSWER_REFUSE);
#ifdef SYS_clone3
    /* Its flags stand in memory, where no filter sees them: the C library falls back to clone. */
    answer_if(program, BPF_JEQ, SYS_clone3, ANSWER_UNKNOWN);
#endif
    /* threads, never processes */
    step(program, BPF_JMP | BPF_K | BPF_JEQ, SYS_clone, 0, 4);
    load(program, FIRST_ARGUMENT);
    step(program, BPF_JMP | BPF_K | BPF_JSET, CLONE_NEEDED, 0, 1);
    answer(program, SECCOMP_RET_ALLOW);
    answer(program, ANSWER_REFUSE);
    /* no raw and no exotic sockets */
    step(program, BPF_JMP | BPF_K | BPF_JEQ, SYS_socket, 1, 0);
    answer(program, SECCOMP_RET_ALLOW);
    load(program, FIRST_ARGUMENT);
    for (size_t i = 0; i < SL_ARRAY_LEN(FAMILIES); i++)
        answer_if(program, BPF_JEQ, FAMILIES[i], SECCOMP_RET_ALLOW);
    answer(program, ANSWER_REFUSE);
}

size_t sl_seccomp_count(void)
{
    return SL_ARRAY_LEN(REFUSED);
}

bool sl_seccomp_apply(struct sl_err *err)
{
    struct program program = {.count = 0};
    write_program(&program);
    struct sock_fprog filter = {.len = (unsigned short)program.count, .filter = program.steps};
    long status = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
    if (status == 0)
        return true;
    /* above 0: the thread that could not follow; below: the reason */
    return sl_err_set(err, SL_ERR_PERMANENT, "no filter of system calls: %s",
                      status > 0 ? "a thread has one of its own" : strerror(errno));
}

#else

size_t sl_seccomp_count(void)
{
    return 0;
}

bool sl_seccomp_apply(struct sl_err *err)
{
    return sl_err_set(err, SL_ERR_PERMANENT, "no filter of system calls was written for this architecture");
}

#endif
