package symbol

import (
	"math/bits"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/aztec/detector"
	dmenc "github.com/makiuchi-d/gozxing/datamatrix/encoder"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"

	"github.com/makiuchi-d/gozxing/common/reedsolomon"
)

func ones(v int) int { return bits.OnesCount(uint(v)) }

// readQR corrects and decodes the modules of a QR code, which it spoils. A
// symbol of no bytes is none: it is what a bare pattern of its masks looks
// like, whose words are all zero.
func (r *Reader) readQR(m *gozxing.BitMatrix) (payload []byte, mirrored, ok bool) {
	parser, err := decoder.NewBitMatrixParser(m)
	if err != nil {
		return nil, false, false
	}
	if payload, ok = r.readQRWords(parser); ok {
		return payload, false, true
	}
	parser.Remask()
	parser.SetMirror(true)
	if _, err := parser.ReadVersion(); err != nil {
		return nil, false, false
	}
	if _, err := parser.ReadFormatInformation(); err != nil {
		return nil, false, false
	}
	parser.Mirror()
	payload, ok = r.readQRWords(parser)
	return payload, true, ok
}

func (r *Reader) readQRWords(parser *decoder.BitMatrixParser) (payload []byte, ok bool) {
	version, err := parser.ReadVersion()
	if err != nil {
		return nil, false
	}
	format, err := parser.ReadFormatInformation()
	if err != nil {
		return nil, false
	}
	level := format.GetErrorCorrectionLevel()
	codewords, err := parser.ReadCodewords()
	if err != nil {
		return nil, false
	}
	blocks, err := decoder.DataBlock_GetDataBlocks(codewords, version, level)
	if err != nil {
		return nil, false
	}
	const width = 8
	var p proof
	var data []byte
	for _, b := range blocks {
		words := wordsOf(b.GetCodewords())
		if !p.mend(reedsolomon.GenericGF_QR_CODE_FIELD_256, words, len(words)-b.GetNumDataCodewords(), width) {
			return nil, false
		}
		for _, w := range words[:b.GetNumDataCodewords()] {
			data = append(data, byte(w))
		}
	}
	if p < sure {
		return nil, false
	}
	result, err := decoder.DecodedBitStreamParser_Decode(data, version, level, r.hints)
	if err != nil {
		return nil, false
	}
	payload = exactBytes(result.GetText())
	return payload, len(payload) > 0
}

func wordsOf(b []byte) []int {
	out := make([]int, len(b))
	for i, v := range b {
		out[i] = int(v)
	}
	return out
}

// readMatrix decodes the modules of a DataMatrix symbol. Its words are not to
// be had from gozxing's decoder, so that the data are encoded again and the
// modules compared.
func (r *Reader) readMatrix(m *gozxing.BitMatrix) (payload []byte, ok bool) {
	result, err := r.bare.Decode(m)
	if err != nil {
		return nil, false
	}
	payload = exactBytes(result.GetText())
	if len(payload) == 0 || matrixProof(m, result.GetRawBytes()) < sure {
		return nil, false
	}
	return payload, true
}

// matrixProof compares the modules sampled with those that the data would have.
func matrixProof(m *gozxing.BitMatrix, data []byte) (p proof) {
	shape := dmenc.SymbolShapeHint_FORCE_SQUARE
	if m.GetWidth() != m.GetHeight() {
		shape = dmenc.SymbolShapeHint_FORCE_RECTANGLE
	}
	info, err := dmenc.SymbolInfo_Lookup(len(data), shape, nil, nil, true)
	if err != nil || info.GetSymbolWidth() != m.GetWidth() || info.GetSymbolHeight() != m.GetHeight() {
		return 0
	}
	full, err := dmenc.ErrorCorrection_EncodeECC200(data, info)
	if err != nil {
		return 0
	}
	w, h := info.GetSymbolDataWidth(), info.GetSymbolDataHeight()
	place := func(codewords []byte) *dmenc.DefaultPlacement {
		d := dmenc.NewDefaultPlacement(codewords, w, h)
		d.Place()
		return d
	}
	want, word := place(full), wordOfModule(place, len(full), w, h)
	blocks := info.GetInterleavedBlockCount()
	wrong := make([]bool, len(full))
	wrongBits := make([]int, blocks)
	for i, at := range word {
		if at < 0 {
			continue
		}
		x, y := i%w, i/w
		// Each region has a module of finder around it.
		sx, sy := x+2*(x/info.GetMatrixWidth())+1, y+2*(y/info.GetMatrixHeight())+1
		if m.Get(sx, sy) != want.GetBit(x, y) {
			wrong[at] = true
			wrongBits[at%blocks]++
		}
	}
	const width = 8
	for b := range blocks {
		wrongWords, n := 0, 0
		for at := b; at < len(full); at += blocks {
			n++
			if wrong[at] {
				wrongWords++
			}
		}
		p.block(n, info.GetErrorCodewords()/blocks, width, wrongWords, wrongBits[b])
	}
	return p
}

// wordOfModule tells which codeword a module of the data belongs to, -1 for
// none, by placing words that spell each bit of their own number.
func wordOfModule(place func([]byte) *dmenc.DefaultPlacement, n, w, h int) []int {
	out := make([]int, w*h)
	codewords := make([]byte, n)
	add := func(spell func(i int) bool, to func(at *int)) {
		for i := range codewords {
			codewords[i] = 0
			if spell(i) {
				codewords[i] = 0xFF
			}
		}
		d := place(codewords)
		for i := range out {
			if d.GetBit(i%w, i/w) {
				to(&out[i])
			}
		}
	}
	for k := range bits.Len(uint(n)) {
		add(func(i int) bool { return i>>k&1 == 1 }, func(at *int) { *at |= 1 << k })
	}
	// The corner that some sizes leave over is the same whatever the words.
	data := make([]bool, w*h)
	mark := func(all bool) {
		d := place(fill(codewords, all))
		for i := range data {
			data[i] = d.GetBit(i%w, i/w) == all && (data[i] || all)
		}
	}
	mark(true)
	mark(false)
	for i := range out {
		if !data[i] {
			out[i] = -1
		}
	}
	return out
}

func fill(b []byte, all bool) []byte {
	for i := range b {
		b[i] = 0
		if all {
			b[i] = 0xFF
		}
	}
	return b
}

// aztecProof corrects an Aztec symbol's words once more, for what that proves.
func aztecProof(found *detector.AztecDetectorResult) (p proof) {
	// The mode message was within two of its words of one of 256.
	const modeMessage = 7
	stream := aztecBits(found)
	width, field := 12, reedsolomon.GenericGF_AZTEC_DATA_12
	switch layers := found.GetNbLayers(); {
	case layers <= 2:
		width, field = 6, reedsolomon.GenericGF_AZTEC_DATA_6
	case layers <= 8:
		width, field = 8, reedsolomon.GenericGF_AZTEC_DATA_8
	case layers <= 22:
		width, field = 10, reedsolomon.GenericGF_AZTEC_DATA_10
	}
	words := make([]int, len(stream)/width)
	for i := range words {
		at := len(stream)%width + i*width
		for _, dark := range stream[at : at+width] {
			words[i] <<= 1
			if dark {
				words[i] |= 1
			}
		}
	}
	if !p.mend(field, words, len(words)-found.GetNbDatablocks(), width) {
		return 0
	}
	return p + modeMessage
}

// aztecBits reads the layers from the outermost inwards, each two modules wide
// and against the clock from the top left (ISO/IEC 24778 clause 7.3.1.2).
func aztecBits(found *detector.AztecDetectorResult) []bool {
	m, layers, core := found.GetBits(), found.GetNbLayers(), 14
	if found.IsCompact() {
		core = 11
	}
	side := core + 4*layers // without the lines of the reference grid
	at := func(i int) int {
		if found.IsCompact() {
			return i
		}
		// From the middle, every sixteenth line is the grid's.
		const apart = 15
		middle := side/2 + (side/2-1)/apart
		if i < side/2 {
			d := side/2 - 1 - i
			return middle - d - d/apart - 1
		}
		d := i - side/2
		return middle + d + d/apart + 1
	}
	var out []bool
	for layer := range layers {
		near, far := 2*layer, side-1-2*layer
		length := far - near - 1
		for turn := range 4 {
			for j := range length {
				for k := range 2 {
					x, y := near+k, near+j
					for range turn { // a quarter against the clock
						x, y = y, side-1-x
					}
					out = append(out, m.Get(at(x), at(y)))
				}
			}
		}
	}
	return out
}
