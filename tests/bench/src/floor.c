/* The least a gateway can cost: a libmodbus loop that reads and throws away. Reads COUNT registers
 * READS times from 127.0.0.1:PORT and prints its own user and system time in microseconds. */
#include <errno.h>
#include <modbus/modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int main(int argc, char **argv) {
    if (argc != 4) return 2;
    uint16_t registers[125];
    int count = atoi(argv[2]), reads = atoi(argv[3]);
    modbus_t *device = modbus_new_tcp("127.0.0.1", atoi(argv[1]));
    if (!device || modbus_connect(device) != 0) return 1;
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < reads; i++)
        if (modbus_read_registers(device, 5, count, registers) != count) {
            fprintf(stderr, "%s\n", modbus_strerror(errno));
            return 1;
        }
    getrusage(RUSAGE_SELF, &after);
    long micros = (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000L
        + after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    printf("%ld\n", micros);
    modbus_free(device);
    return 0;
}
