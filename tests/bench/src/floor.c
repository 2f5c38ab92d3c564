/* The least a gateway can cost: a libmodbus loop that reads and throws away. Reads COUNT registers
 * READS times from 127.0.0.1:PORT, PER_SECOND times a second, and prints its own user and system
 * time in microseconds. */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static long micros(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000L + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    uint16_t registers[125];
    int count = atoi(argv[2]), reads = atoi(argv[3]), per_second = atoi(argv[4]);
    modbus_t *device = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    if (!device || modbus_connect(device) != 0) return 1;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    long before = micros();
    for (int i = 0; i < reads; i++) {
        next.tv_nsec += 1000000000L / per_second;
        next.tv_sec += next.tv_nsec / 1000000000L;
        next.tv_nsec %= 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
        if (modbus_read_registers(device, 5, count, registers) != count) {
            fprintf(stderr, "%s\n", modbus_strerror(errno));
            return 1;
        }
    }
    printf("%ld\n", micros() - before);
    modbus_free(device);
    return 0;
}
