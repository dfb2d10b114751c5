// zxing-cpp as a peer: its thorough settings (try harder, try rotated) for the
// one symbology that the frame holds.
#define ZX_USE_UTF8 1
#include <ZXing/ReadBarcode.h>

#include "pipe.h"

int main() {
	pipe_frame f = {};
	while (pipe_next(&f)) {
		const ZXing::BarcodeFormat formats[] = {
			ZXing::BarcodeFormat::QRCode, ZXing::BarcodeFormat::DataMatrix, ZXing::BarcodeFormat::Aztec};
		ZXing::DecodeHints hints;
		hints.setFormats(formats[f.symbology % 3]).setTryHarder(true).setTryRotate(true);
		hints.setCharacterSet("ISO8859_1");
		uint64_t begin = pipe_cpu();
		auto results = ZXing::ReadBarcodes({f.pixels, int(f.width), int(f.height), ZXing::ImageFormat::Lum}, hints);
		printf("%llu", (unsigned long long)(pipe_cpu() - begin));
		for (auto &r : results) {
			if (!r.isValid()) continue;
			pipe_payload(r.bytes().data(), r.bytes().size());
		}
		pipe_end();
	}
}
