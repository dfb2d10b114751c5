// libdmtx as a peer: DataMatrix only, at most the budget a frame (500 ms when
// none is given), one symbol.
#include <dmtx.h>

#include "pipe.h"

int main(void) {
	pipe_frame f = {0};
	while (pipe_next(&f)) {
		uint64_t begin = pipe_cpu();
		DmtxMessage *message = NULL;
		DmtxImage *image = dmtxImageCreate(f.pixels, f.width, f.height, DmtxPack8bppK);
		dmtxImageSetProp(image, DmtxPropImageFlip, DmtxFlipNone);
		DmtxDecode *decode = dmtxDecodeCreate(image, 1);
		DmtxTime limit = dmtxTimeAdd(dmtxTimeNow(), f.budget ? (f.budget + 999) / 1000 : 500);
		for (DmtxRegion *region; !message && (region = dmtxRegionFindNext(decode, &limit));) {
			message = dmtxDecodeMatrixRegion(decode, region, DmtxUndefined);
			dmtxRegionDestroy(&region);
		}
		printf("%llu", (unsigned long long)(pipe_cpu() - begin));
		if (message) pipe_payload(message->output, message->outputIdx);
		pipe_end();
		if (message) dmtxMessageDestroy(&message);
		dmtxDecodeDestroy(&decode);
		dmtxImageDestroy(&image);
	}
	return 0;
}
