/* A Modbus RTU master by libmodbus, the driver's peer: it reads 16 inputs of
 * unit 1 at 115200 baud so many times, 20 ms apart, and prints how long each
 * answer took, in microseconds. Usage: master PORT COUNT */
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_us(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: master PORT COUNT\n");
		return 2;
	}
	modbus_t *bus = modbus_new_rtu(argv[1], 115200, 'N', 8, 1);
	if (!bus || modbus_set_slave(bus, 1) || modbus_set_response_timeout(bus, 1, 0) || modbus_connect(bus)) {
		perror("libmodbus");
		return 2;
	}
	uint8_t inputs[16];
	int64_t next = now_us();
	for (int i = 0; i < atoi(argv[2]); i++) {
		int64_t start = now_us();
		if (modbus_read_input_bits(bus, 0, 16, inputs) != 16) {
			perror("libmodbus: read inputs");
			return 1;
		}
		printf("%lld\n", (long long)(now_us() - start));
		next += 20000;
		struct timespec at = {next / 1000000, next % 1000000 * 1000};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	modbus_close(bus);
	modbus_free(bus);
	return 0;
}
