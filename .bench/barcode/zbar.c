// zbar as a peer: one pass over each frame, QR codes only, bytes unconverted.
#include <zbar.h>

#include "pipe.h"

int main(void) {
	zbar_image_scanner_t *scanner = zbar_image_scanner_create();
	zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0);
	zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
	zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_BINARY, 1);
	zbar_image_t *image = zbar_image_create();
	zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
	pipe_frame f = {0};
	while (pipe_next(&f)) {
		uint64_t begin = pipe_cpu();
		zbar_image_set_size(image, f.width, f.height);
		zbar_image_set_data(image, f.pixels, (unsigned long)f.width * f.height, NULL);
		zbar_scan_image(scanner, image);
		printf("%llu", (unsigned long long)(pipe_cpu() - begin));
		const zbar_symbol_t *s = zbar_image_first_symbol(image);
		for (; s; s = zbar_symbol_next(s))
			pipe_payload((const uint8_t *)zbar_symbol_get_data(s), zbar_symbol_get_data_length(s));
		pipe_end();
	}
	return 0;
}
