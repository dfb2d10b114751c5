package main

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// bar shows how far a download is: redrawn on a terminal, a line every quarter
// elsewhere.
type bar struct {
	w        io.Writer
	name     string
	total    int64
	redraw   bool
	quarters int64
}

func newBar(w io.Writer, name string, total int64) *bar {
	b := &bar{w: w, name: name, total: total, redraw: isTerminal(w)}
	if !b.redraw {
		fmt.Fprintf(w, "fetching %s, %.1f MB\n", name, float64(total)/1e6)
	}
	return b
}

// at shows that n bytes have arrived.
func (b *bar) at(n int64) {
	n = min(n, b.total)
	if b.redraw {
		const width = 30
		full := int(n * width / b.total)
		fmt.Fprintf(b.w, "\r%s [%s%s] %5.1f of %.1f MB ", b.name,
			strings.Repeat("#", full), strings.Repeat("-", width-full), float64(n)/1e6, float64(b.total)/1e6)
		return
	}
	if q := n * 4 / b.total; q > b.quarters && q < 4 {
		b.quarters = q
		fmt.Fprintf(b.w, "fetching %s: %d %%\n", b.name, q*25)
	}
}

// end closes the picture.
func (b *bar) end(ok bool) {
	switch {
	case b.redraw && ok:
		b.at(b.total)
		fmt.Fprintln(b.w)
	case b.redraw:
		fmt.Fprintln(b.w)
	case ok:
		fmt.Fprintf(b.w, "fetching %s: done\n", b.name)
	}
}

// terminal says whether the file descriptor belongs to a terminal.
func terminal(fd uintptr) bool {
	_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
	return err == nil
}
