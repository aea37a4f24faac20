/* Loaded before a program (LD_PRELOAD): whoever looks at a path with "/hung/" in it waits without end, as for a mount
 * whose server is gone. If the program destroys what is static while somebody waits there, this is said on standard error. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile int is_hanging = 0;

static void hang(const char *path)
{
    while (path != NULL && strstr(path, "/hung/") != NULL) {
        is_hanging = 1;
        sleep(1);
    }
}

__attribute__((destructor)) static void tell(void)
{
    static const char text[] = "what is static was destroyed beside a thread that hangs\n";
    if (is_hanging && write(2, text, sizeof text - 1) < 0)
        return;
}

static int open_with(const char *name, const char *path, int flags, va_list rest)
{
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    hang(path);
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int fd = open_with("open", path, flags, rest);
    va_end(rest);
    return fd;
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    int fd = open_with("open64", path, flags, rest);
    va_end(rest);
    return fd;
}

int stat(const char *path, struct stat *status)
{
    int (*real)(const char *, struct stat *) = (int (*)(const char *, struct stat *))dlsym(RTLD_NEXT, "stat");
    hang(path);
    return real(path, status);
}
