/* A stand-in for libnvidia-ml.so, for tests. It answers from the text file whose path is compiled in as STATE_FILE, which
   is read again at every call, so that a test changes the machine by writing the file.

   Each line is `KEY VALUE` (every GPU) or `INDEX.KEY VALUE` (that GPU, wins over the former). Keys:
     init        what nvmlInit returns                       (0)
     driver      what every other call returns               (0)
     count       number of GPUs                              (0)
     fail        what every call on the GPU returns          (0)
     uuid name   identity
     memory used bytes
     util temp power sm memclock ecc
     pids        processes, comma-separated                  (none)
     xid         an Xid event, told once for each new value  (none)
   A value `!N` makes that one reading return N. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, TIMEOUT = 10 };
enum { MAX_GPUS = 64, TEXT = 256, XID_EVENT = 8, POLL_MS = 5 };

struct gpu {
    int index;
};

struct memory_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

struct process {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

static struct gpu gpus[MAX_GPUS];
static _Atomic int references;

/* Copies the value of `wanted` to `value`; 0 when there is none. */
static int find(const char *wanted, char *value) {
    FILE *file = fopen(STATE_FILE, "r");
    char line[TEXT], key[TEXT], text[TEXT];
    int found = 0;
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%255s %255[^\n]", key, text) == 2 && strcmp(key, wanted) == 0) {
            strcpy(value, text);
            found = 1;
        }
    fclose(file);
    return found;
}

static long long number(const char *key, long long otherwise) {
    char value[TEXT];
    return find(key, value) ? atoll(value) : otherwise;
}

/* The GPU's own value, or everybody's. */
static int find_of(const struct gpu *gpu, const char *key, char *value) {
    char own[TEXT];
    snprintf(own, sizeof own, "%d.%s", gpu->index, key);
    return find(own, value) || find(key, value);
}

static int usable(const struct gpu *gpu) {
    char value[TEXT];
    int driver = (int)number("driver", SUCCESS);
    if (references == 0)
        return UNINITIALIZED;
    if (driver != SUCCESS)
        return driver;
    return gpu != NULL && find_of(gpu, "fail", value) ? atoi(value) : SUCCESS;
}

static int text_of(const struct gpu *gpu, const char *key, const char *otherwise, char *out, unsigned size) {
    char value[TEXT];
    int code = usable(gpu);
    if (code != SUCCESS)
        return code;
    if (!find_of(gpu, key, value))
        snprintf(value, sizeof value, otherwise, gpu->index);
    snprintf(out, size, "%s", value);
    return SUCCESS;
}

static int number_of(const struct gpu *gpu, const char *key, long long otherwise, long long *out) {
    char value[TEXT];
    int code = usable(gpu);
    if (code != SUCCESS)
        return code;
    *out = otherwise;
    if (find_of(gpu, key, value)) {
        if (value[0] == '!')
            return atoi(value + 1);
        *out = atoll(value);
    }
    return SUCCESS;
}

static int unsigned_of(const struct gpu *gpu, const char *key, unsigned *out) {
    long long value;
    int code = number_of(gpu, key, 0, &value);
    if (code == SUCCESS)
        *out = (unsigned)value;
    return code;
}

int nvmlInit_v2(void) {
    int code = (int)number("init", SUCCESS);
    if (code == SUCCESS)
        references++;
    for (int i = 0; i < MAX_GPUS; i++)
        gpus[i].index = i;
    return code;
}

int nvmlShutdown(void) {
    if (references == 0)
        return UNINITIALIZED;
    references--;
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *version, unsigned size) {
    snprintf(version, size, "580.65.06");
    return usable(NULL);
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = (unsigned)number("count", 0);
    return usable(NULL);
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct gpu **gpu) {
    if (index >= number("count", 0))
        return INVALID_ARGUMENT;
    *gpu = &gpus[index];
    return usable(*gpu);
}

int nvmlDeviceGetUUID(struct gpu *gpu, char *uuid, unsigned size) {
    return text_of(gpu, "uuid", "GPU-00000000-0000-0000-0000-%012d", uuid, size);
}

int nvmlDeviceGetName(struct gpu *gpu, char *name, unsigned size) {
    return text_of(gpu, "name", "NVIDIA Test GPU", name, size);
}

int nvmlDeviceGetMemoryInfo_v2(struct gpu *gpu, struct memory_v2 *memory) {
    long long total, used;
    int code = number_of(gpu, "memory", 85899345920LL, &total);
    if (code == SUCCESS)
        code = number_of(gpu, "used", 0, &used);
    if (code != SUCCESS)
        return code;
    memory->total = (unsigned long long)total;
    memory->used = (unsigned long long)used;
    memory->reserved = 0;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(struct gpu *gpu, unsigned *rates) {
    rates[1] = 0;
    return unsigned_of(gpu, "util", rates);
}

int nvmlDeviceGetTemperature(struct gpu *gpu, int sensor, unsigned *degrees) {
    (void)sensor;
    return unsigned_of(gpu, "temp", degrees);
}

int nvmlDeviceGetPowerUsage(struct gpu *gpu, unsigned *milliwatts) {
    return unsigned_of(gpu, "power", milliwatts);
}

int nvmlDeviceGetClockInfo(struct gpu *gpu, int clock, unsigned *mhz) {
    return unsigned_of(gpu, clock == 2 ? "memclock" : "sm", mhz);
}

int nvmlDeviceGetTotalEccErrors(struct gpu *gpu, int type, int counter, unsigned long long *errors) {
    long long value;
    int code = number_of(gpu, "ecc", 0, &value);
    (void)type;
    (void)counter;
    if (code == SUCCESS)
        *errors = (unsigned long long)value;
    return code;
}

struct event {
    struct gpu *gpu;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};

/* What was told of each GPU, and for which it was asked. */
struct event_set {
    int wanted[MAX_GPUS];
    long long told[MAX_GPUS];
};

int nvmlEventSetCreate(struct event_set **set) {
    *set = calloc(1, sizeof **set);
    return SUCCESS;
}

int nvmlEventSetFree(struct event_set *set) {
    free(set);
    return SUCCESS;
}

int nvmlDeviceGetSupportedEventTypes(struct gpu *gpu, unsigned long long *types) {
    *types = XID_EVENT;
    return usable(gpu);
}

int nvmlDeviceRegisterEvents(struct gpu *gpu, unsigned long long types, struct event_set *set) {
    set->wanted[gpu->index] = (types & XID_EVENT) != 0;
    return usable(gpu);
}

int nvmlEventSetWait_v2(struct event_set *set, struct event *event, unsigned timeout_ms) {
    char value[TEXT];
    for (unsigned waited = 0; waited < timeout_ms; waited += POLL_MS) {
        int code = usable(NULL);
        if (code != SUCCESS)
            return code;
        for (int i = 0; i < MAX_GPUS; i++)
            if (set->wanted[i] && find_of(&gpus[i], "xid", value) && atoll(value) != set->told[i]) {
                set->told[i] = atoll(value);
                memset(event, 0, sizeof *event);
                event->gpu = &gpus[i];
                event->type = XID_EVENT;
                event->data = (unsigned long long)set->told[i];
                return SUCCESS;
            }
        usleep(POLL_MS * 1000);
    }
    return TIMEOUT;
}

int nvmlDeviceGetComputeRunningProcesses_v3(struct gpu *gpu, unsigned *count, struct process *processes) {
    char value[TEXT];
    unsigned room = *count, found = 0;
    int code = usable(gpu);
    if (code != SUCCESS)
        return code;
    if (find_of(gpu, "pids", value))
        for (char *pid = strtok(value, ","); pid != NULL; pid = strtok(NULL, ","), found++)
            if (found < room) {
                memset(&processes[found], 0, sizeof processes[found]);
                processes[found].pid = (unsigned)atoi(pid);
            }
    *count = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}
