// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the test VM: loads what it takes to see the host's files, mounts, runs one command, and hands everything that
 * came of it to tests/vm/run through virtio ports:
 *
 *	out, err	what the command wrote, byte for byte
 *	log		the whole kernel log
 *	result		"started", and at the very end "exit N" or "signal N" with the sizes of out and err
 *
 * "exit" or "signal" is the last thing written: who reads it knows that the rest is complete. The console is only for the
 * kernel's own words.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 4096
#define MAX_PATHS 64
#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=512000,access=any,"

struct words {
	char *word[MAX_WORDS + 1];
	int count;
};

/* What tests/vm/run asks for: /config in the initramfs, "key=value" strings, each ended by a NUL. */
static struct {
	struct words args, env;
	const char *keep[MAX_PATHS];	/* paths to show although a tmpfs lies over them */
	const char *out[MAX_PATHS];	/* directories whose changes reach the host */
	const char *modules, *cwd;
	int keeps, outs;
	struct winsize tty;		/* rows are 0 when there is no terminal */
} config;

struct port {
	const char *name;
	int fd;
	unsigned long long bytes;
};

static struct port out = { "out", -1, 0 }, err = { "err", -1, 0 };
static struct port klog = { "log", -1, 0 }, result = { "result", -1, 0 };

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *format, ...)
{
	int why = errno;
	va_list args;
	FILE *kmsg = fopen("/dev/kmsg", "w");

	if (kmsg) {
		va_start(args, format);
		fputs("<0>schedscope-vm: ", kmsg);
		vfprintf(kmsg, format, args);
		fprintf(kmsg, ": %s\n", strerror(why));
		fclose(kmsg);
		va_end(args);
	}
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void make_dirs(const char *path)
{
	char part[4096];

	for (size_t i = 1; i < sizeof(part) && path[i - 1]; i++) {
		if (path[i] != '/' && path[i])
			continue;
		snprintf(part, i + 1, "%s", path);
		mkdir(part, 0755);
	}
}

static void mount_at(const char *source, const char *target, const char *type, unsigned long flags, const char *data)
{
	make_dirs(target);
	if (mount(source, target, type, flags, data))
		die("cannot mount %s on %s", type, target);
}

/* For what not every kernel has. */
static void mount_if_known(const char *target, const char *type)
{
	make_dirs(target);
	if (mount(type, target, type, 0, NULL) && errno != ENODEV && errno != ENOENT)
		die("cannot mount %s on %s", type, target);
}

static void *file_contents(const char *path, size_t *size)
{
	struct stat st;
	char *data;
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st))
		die("cannot read %s", path);
	data = malloc(st.st_size + 1);
	for (*size = 0; data && *size < (size_t)st.st_size; *size += got) {
		got = read(fd, data + *size, st.st_size - *size);
		if (got <= 0)
			die("cannot read %s", path);
	}
	if (!data)
		die("cannot read %s", path);
	data[*size] = 0;
	close(fd);
	return data;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("cannot write to %s", path);
	close(fd);
}

static void add_word(struct words *words, char *word)
{
	if (words->count == MAX_WORDS)
		die("more than %d arguments", MAX_WORDS);
	words->word[words->count++] = word;
}

static void add_path(const char **paths, int *count, const char *path)
{
	if (*count == MAX_PATHS)
		die("more than %d directories", MAX_PATHS);
	paths[(*count)++] = path;
}

static void configure(char *entry)
{
	char *value = strchr(entry, '=');

	if (!value)
		die("bad configuration '%s'", entry);
	*value++ = 0;
	if (!strcmp(entry, "arg"))
		add_word(&config.args, value);
	else if (!strcmp(entry, "env"))
		add_word(&config.env, value);
	else if (!strcmp(entry, "keep"))
		add_path(config.keep, &config.keeps, value);
	else if (!strcmp(entry, "out"))
		add_path(config.out, &config.outs, value);
	else if (!strcmp(entry, "modules"))
		config.modules = value;
	else if (!strcmp(entry, "cwd"))
		config.cwd = value;
	else if (!strcmp(entry, "tty"))
		sscanf(value, "%hux%hu", &config.tty.ws_row, &config.tty.ws_col);
	else
		die("bad configuration '%s'", entry);
}

static void read_config(void)
{
	size_t size;
	char *entry = file_contents("/config", &size), *end = entry + size;

	while (entry < end) {
		char *next = entry + strlen(entry) + 1;

		configure(entry);
		entry = next;
	}
}

/* /modules/order names the files beside it, dependencies first. */
static void load_modules(void)
{
	size_t size;
	char *name, *names = file_contents("/modules/order", &size);
	char path[512];

	for (name = strtok(names, "\n"); name; name = strtok(NULL, "\n")) {
		int fd;

		snprintf(path, sizeof(path), "/modules/%s", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			die("cannot load %s", path);
		close(fd);
	}
}

/*
 * The host's root, read-only, with a tmpfs over it. cache=loose: nobody should change the host's files under a running
 * VM, and without a cache every page of every program would cross again. noxattr: overlayfs asks for several on each lookup,
 * and each would be a round trip.
 */
static void enter_host_root(void)
{
	mount_at("root", "/host", "9p", MS_RDONLY, P9_OPTIONS "cache=loose,noxattr");
	mount_at("tmpfs", "/rw", "tmpfs", 0, "mode=755");
	make_dirs("/rw/upper");
	make_dirs("/rw/work");
	mount_at("overlay", "/new", "overlay", 0, "lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work");
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		die("cannot enter the root file system");
}

static int clone_mount(const char *path)
{
	int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		die("cannot find %s on the host", path);
	return fd;
}

static void attach_mount(int fd, const char *path)
{
	make_dirs(path);
	if (move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH))
		die("cannot show %s", path);
	close(fd);
}

static void mount_system(void)
{
	mount_at("proc", "/proc", "proc", 0, NULL);
	mount_at("sysfs", "/sys", "sysfs", 0, NULL);
	mount_at("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount_at("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666");
	mount_at("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777");
	mount_at("tmpfs", "/run", "tmpfs", 0, "mode=755");
	mount_at("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
	mount_if_known("/sys/kernel/debug", "debugfs");
	mount_if_known("/sys/kernel/tracing", "tracefs");
	mount_if_known("/sys/kernel/security", "securityfs");
	mount_if_known("/sys/fs/bpf", "bpf");
	mount_if_known("/sys/fs/cgroup", "cgroup2");
	/* Loud on the serial line is slow, and what is missing there is in the log. */
	write_file("/proc/sys/kernel/printk", "5");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

/* What lies below a tmpfs and must be seen all the same is taken before the tmpfs is mounted, and put back on top of it. */
static void mount_everything(void)
{
	int kept[MAX_PATHS], modules = -1;
	struct utsname system;
	char path[512], tag[16];

	for (int i = 0; i < config.keeps; i++)
		kept[i] = clone_mount(config.keep[i]);
	if (config.modules)
		modules = clone_mount(config.modules);
	mount_system();
	for (int i = 0; i < config.keeps; i++)
		attach_mount(kept[i], config.keep[i]);
	if (modules >= 0 && !uname(&system)) {
		snprintf(path, sizeof(path), "/lib/modules/%s", system.release);
		attach_mount(modules, path);
	}
	/* cache=mmap: a write is on the host when write() returns, and shared mappings work. */
	for (int i = 0; i < config.outs; i++) {
		snprintf(tag, sizeof(tag), "out%d", i);
		mount_at(tag, config.out[i], "9p", 0, P9_OPTIONS "cache=mmap");
	}
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;		/* a kernel without a network */
	if (ioctl(fd, SIOCSIFFLAGS, &request))
		die("cannot bring the loopback interface up");
	close(fd);
}

/* Finds /dev/vportNpM by the name that the host gave it. */
static int find_port(const char *wanted)
{
	DIR *ports = opendir("/sys/class/virtio-ports");
	struct dirent *entry;
	char path[512], name[64];
	int fd = -1;

	while (ports && fd < 0 && (entry = readdir(ports))) {
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		file = fopen(path, "r");
		if (file && fscanf(file, "%63s", name) == 1 && !strcmp(name, wanted)) {
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, O_WRONLY | O_CLOEXEC);
		}
		if (file)
			fclose(file);
	}
	if (ports)
		closedir(ports);
	return fd;
}

/* The host announces its ports one by one after the driver is up, so each may still be to come. */
static void open_port(struct port *port)
{
	for (int tries = 0; tries < 10000; tries++) {
		port->fd = find_port(port->name);
		if (port->fd >= 0)
			return;
		usleep(1000);
	}
	die("cannot find the port %s", port->name);
}

static void send_bytes(struct port *port, const char *data, size_t size)
{
	while (size) {
		ssize_t sent = write(port->fd, data, size);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			die("cannot write to the port %s", port->name);
		port->bytes += sent;
		data += sent;
		size -= sent;
	}
}

__attribute__((format(printf, 2, 3)))
static void send_text(struct port *port, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	send_bytes(port, text, strlen(text));
}

/* The kernel escapes what is not printable, line ends inside a record too. */
static size_t unescape(char *text, size_t size)
{
	size_t from = 0, to = 0;
	unsigned int byte;

	while (from < size) {
		if (size - from >= 4 && sscanf(text + from, "\\x%2x", &byte) == 1) {
			text[to++] = byte;
			from += 4;
		} else {
			text[to++] = text[from++];
		}
	}
	return to;
}

/* One record is "priority,sequence,microseconds,flags;text\n", then lines of properties that nobody asked for. */
static unsigned long long send_record(char *record)
{
	unsigned long long sequence, time;
	char *text = strchr(record, ';'), *end = text ? strchr(text, '\n') : NULL;

	if (!end || sscanf(record, "%*u,%llu,%llu", &sequence, &time) != 2)
		die("cannot read the kernel log: '%s'", record);
	text++;
	send_text(&klog, "[%5llu.%06llu] ", time / 1000000, time % 1000000);
	send_bytes(&klog, text, unescape(text, end - text));
	send_bytes(&klog, "\n", 1);
	return sequence;
}

/* The last line says that the log is whole: without it, a log cut short would look like a clean one. */
static void send_log(void)
{
	unsigned long long next = 0, lost = 0, sequence;
	char record[16384];
	ssize_t size;
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		die("cannot open the kernel log");
	while ((size = read(fd, record, sizeof(record) - 1)) > 0 || errno == EPIPE || errno == EINTR) {
		if (size <= 0)
			continue;	/* overwritten meanwhile: the next sequence number tells */
		record[size] = 0;
		sequence = send_record(record);
		lost += sequence - next;
		next = sequence + 1;
	}
	if (errno != EAGAIN)
		die("cannot read the kernel log");
	send_text(&klog, "# end of the kernel log, %llu records lost\n", lost);
	close(fd);
}

/* 1: data was forwarded; 0: none now; -1: nobody can write any more. */
static int forward(int from, struct port *to)
{
	char data[32768];
	ssize_t size = read(from, data, sizeof(data));

	if (size > 0)
		send_bytes(to, data, size);
	else if (size == 0)
		return -1;
	return size > 0;
}

/* The status of the command once it has ended, else -1. Every other child is an orphan that only needs to be reaped. */
static int reap(pid_t command)
{
	int status, found = -1;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			found = status;
	return found;
}

/*
 * The command writes to pipes and not to the ports themselves: /dev/stdout can be opened again, as on any system, which a
 * port refuses. What processes left behind write after the command's end is not waited for.
 */
static int watch_command(pid_t command, int out_pipe, int err_pipe, int signals)
{
	struct pollfd waits[] = { { out_pipe, POLLIN, 0 }, { err_pipe, POLLIN, 0 }, { signals, POLLIN, 0 } };
	struct signalfd_siginfo info;
	int status;

	while ((status = reap(command)) < 0) {
		if (poll(waits, 3, -1) < 0 && errno != EINTR)
			die("cannot wait");
		if (waits[0].revents && forward(out_pipe, &out) < 0)
			waits[0].fd = -1;
		if (waits[1].revents && forward(err_pipe, &err) < 0)
			waits[1].fd = -1;
		if (waits[2].revents && read(signals, &info, sizeof(info)) < 0)
			continue;
	}
	while (forward(out_pipe, &out) > 0)
		;
	while (forward(err_pipe, &err) > 0)
		;
	return status;
}

static void use_terminal(void)
{
	int fd;

	setsid();
	for (int tries = 0; (fd = open("/dev/hvc0", O_RDWR)) < 0 && tries < 10000; tries++)
		usleep(1000);
	if (fd < 0)
		die("cannot open the terminal");
	ioctl(fd, TIOCSCTTY, 0);
	ioctl(fd, TIOCSWINSZ, &config.tty);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
}

static void use_pipes(int out_pipe, int err_pipe)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	setsid();
	dup2(null, 0);
	dup2(out_pipe, 1);
	dup2(err_pipe, 2);
}

__attribute__((noreturn))
static void become_command(int out_pipe, int err_pipe)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (config.tty.ws_row)
		use_terminal();
	else
		use_pipes(out_pipe, err_pipe);
	environ = config.env.word;
	if (chdir(config.cwd)) {
		dprintf(2, "schedscope-vm: cannot enter %s: %s\n", config.cwd, strerror(errno));
		_exit(126);
	}
	execvp(config.args.word[0], config.args.word);
	dprintf(2, "schedscope-vm: cannot run %s: %s\n", config.args.word[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int run_command(void)
{
	int out_pipe[2], err_pipe[2], signals;
	sigset_t children;
	pid_t command;

	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_BLOCK, &children, NULL);
	signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0 || pipe2(out_pipe, O_CLOEXEC) || pipe2(err_pipe, O_CLOEXEC))
		die("cannot make pipes");
	command = fork();
	if (command < 0)
		die("cannot fork");
	if (!command)
		become_command(out_pipe[1], err_pipe[1]);
	close(out_pipe[1]);
	close(err_pipe[1]);
	fcntl(out_pipe[0], F_SETFL, O_NONBLOCK);
	fcntl(err_pipe[0], F_SETFL, O_NONBLOCK);
	return watch_command(command, out_pipe[0], err_pipe[0], signals);
}

/* Everything is stopped before the log is read, so that what dies on the way out is in it. */
static void stop_everything(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	sync();
	for (int i = config.outs - 1; i >= 0; i--)
		umount2(config.out[i], MNT_DETACH);
}

int main(void)
{
	int status;

	mount_at("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	read_config();
	load_modules();
	enter_host_root();
	mount_everything();
	loopback_up();
	sethostname("schedscope-vm", strlen("schedscope-vm"));
	umask(022);
	open_port(&out);
	open_port(&err);
	open_port(&klog);
	open_port(&result);
	send_text(&result, "started\n");
	status = run_command();
	stop_everything();
	send_log();
	send_text(&result, "%s %d %llu %llu\n", WIFSIGNALED(status) ? "signal" : "exit",
		  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), out.bytes, err.bytes);
	reboot(RB_POWER_OFF);
	die("cannot power off");
}
