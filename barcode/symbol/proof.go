package symbol

import (
	"math"

	"github.com/makiuchi-d/gozxing/common/reedsolomon"
)

// sure is the proof, in bits, below which a symbol is taken for an accident. A
// gate that judged a hundred random grids in each of 25 frames a second would
// meet such an accident once in ten years; one whose codes are the size of a
// pass has hundreds of bits.
const sure = 40

// proof is how improbable it is that chance alone came as near to a codeword as
// what was sampled, as the negative binary logarithm of a bound over all
// codewords. It grows with the check words and shrinks with each error that
// they had to mend.
type proof float64

// block adds a block whose sampled words, of a width in bits, were mended: of
// n words, check of them check words.
func (p *proof) block(n, check, width, wrongWords, wrongBits int) {
	// All words that differ from a codeword in so many words, or in so many
	// bits: both counts bound the accident, so that the smaller one holds.
	words := float64(width*wrongWords) + choices(n, wrongWords)
	bits := choices(n*width, wrongBits)
	*p += proof(float64(check*width) - min(words, bits))
}

// choices is the binary logarithm of the ways to choose k of n, and fewer than
// k, bounded by k+1 times the most.
func choices(n, k int) float64 {
	if k > n/2 {
		return float64(n)
	}
	gamma := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	return (gamma(n)-gamma(k)-gamma(n-k))/math.Ln2 + math.Log2(float64(k+1))
}

// mend corrects the words in place and adds what that proves. Words that are
// no codeword even then are refused: gozxing does not look again.
func (p *proof) mend(field *reedsolomon.GenericGF, words []int, check, width int) bool {
	if check < 1 || check >= len(words) {
		return false
	}
	sampled := append([]int(nil), words...)
	if reedsolomon.NewReedSolomonDecoder(field).Decode(words, check) != nil || !isCodeword(field, words, check) {
		return false
	}
	wrongWords, wrongBits := 0, 0
	for i, w := range words {
		if w != sampled[i] {
			wrongWords++
			wrongBits += ones(w ^ sampled[i])
		}
	}
	p.block(len(words), check, width, wrongWords, wrongBits)
	return true
}

// isCodeword tells whether the words, as a polynomial, have all the roots of
// the code's generator.
func isCodeword(field *reedsolomon.GenericGF, words []int, check int) bool {
	for i := range check {
		root := field.Exp(i + field.GetGeneratorBase())
		value := 0
		for _, w := range words {
			value = field.Multiply(value, root) ^ w
		}
		if value != 0 {
			return false
		}
	}
	return true
}
