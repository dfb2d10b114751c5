package vision

// Event is what comes out of Worker.Events: Up, Down, Symbol, Shown, Face, CameraHealth, Image or View.
type Event interface{ event() }

// Up tells that a worker is ready.
type Up struct {
	Name string
	PID  int
}

// Down tells that a worker has gone and will be replaced. Err says why, Crash what it was doing; nil when it was ended on purpose or
// could not be started.
type Down struct {
	Name  string
	Err   error
	Crash *Crash
}

// Symbol is a barcode seen while watching. The same payload comes again at most every 500 ms.
type Symbol struct {
	Session uint32
	// FrameAt and DoneAt are CLOCK_MONOTONIC nanoseconds: when the frame was taken and when it had been read.
	FrameAt, DoneAt int64
	Symbology       string
	Payload         []byte
	// Corners are in pixels of the frame.
	Corners [4][2]float32
}

// Shown tells that something with edges or print came before the document camera, whether or not a code on it can be read; once for
// each session. It is no reading: it tells a pass that cannot be read from none.
type Shown struct {
	Session uint32
	// FrameAt is CLOCK_MONOTONIC nanoseconds.
	FrameAt int64
}

// FaceQuality are the measurements on one face; the terms are those of biometrics.Quality.
type FaceQuality struct {
	Score, Norm, EyeDistance, Laplacian float32
	Luminance, ShareOver, ShareUnder    float32
	NoseOffset, NoseDrop, Roll          float32
}

// FaceLive are the cues against a presentation attack; Done tells whether they were measured on this frame.
type FaceLive struct {
	MS27, SQ15, Lines float32
	Done              bool
}

// Face is the largest face of a frame; one event for every frame analysed while watching, with Count 0 when it shows none.
type Face struct {
	Session uint32
	// FrameAt and DoneAt are CLOCK_MONOTONIC nanoseconds: when the frame was taken and when its analysis had ended.
	FrameAt, DoneAt int64
	// Count is the number of faces found, Second the width of the second largest as a share of the largest.
	Count  int
	Second float32
	// Box is x, y, width, height in pixels of the frame of Width by Height.
	Box           [4]float32
	Width, Height int
	Quality       FaceQuality
	Live          FaceLive
	// Raw is the embedding, not normalised; nil when the face was too small or turned away to recognise.
	Raw []float32
}

// CameraHealth comes every 200 ms, and at once when OK changes; it is the worker's beat.
type CameraHealth struct {
	OK bool
	// Err says in a few words what is wrong with the camera; empty when it is well.
	Err string
	// FPS is what the camera delivers; AgeMillis the age of its newest frame, -1 before the first.
	FPS       float32
	AgeMillis int32
	// Width and Height are of the newest frame.
	Width, Height int
	// Dark tells that the newest frame is nearly black: a covered lens.
	Dark bool
}

// Image is the still asked for: the newest frame, and with a face role the box of its face if one was found.
type Image struct {
	Session uint32
	FrameAt int64
	Width   int
	Height  int
	JPEG    []byte
}

// View is a small picture for a mirror or for alignment while Mirror is on, at most ten a second. It is for showing alone and
// kept nowhere.
type View struct {
	FrameAt int64
	JPEG    []byte
}

func (Up) event()           {}
func (Down) event()         {}
func (Symbol) event()       {}
func (Shown) event()        {}
func (Face) event()         {}
func (CameraHealth) event() {}
func (Image) event()        {}
func (View) event()         {}

func (Symbol) kind() Kind       { return kindSymbol }
func (Shown) kind() Kind        { return kindShown }
func (Face) kind() Kind         { return kindFace }
func (CameraHealth) kind() Kind { return kindHealth }
func (Image) kind() Kind        { return kindImage }
func (View) kind() Kind         { return kindView }

func (s Symbol) encode(e *encoder) {
	if len(s.Payload) > maxPayload || len(s.Symbology) > maxSymbology {
		e.err = ErrTooLarge
		return
	}
	e.u32(s.Session)
	e.i64(s.FrameAt)
	e.i64(s.DoneAt)
	e.text(s.Symbology)
	e.bytes(s.Payload)
	for _, c := range s.Corners {
		e.f32(c[0])
		e.f32(c[1])
	}
}

func (s Shown) encode(e *encoder) {
	e.u32(s.Session)
	e.i64(s.FrameAt)
}

func decodeSymbol(d *decoder) Symbol {
	s := Symbol{Session: d.u32(), FrameAt: d.i64(), DoneAt: d.i64(), Symbology: d.text(maxSymbology), Payload: d.bytes(maxPayload)}
	for i := range s.Corners {
		s.Corners[i] = [2]float32{d.f32(), d.f32()}
	}
	return s
}

func (f Face) encode(e *encoder) {
	e.u32(f.Session)
	e.i64(f.FrameAt)
	e.i64(f.DoneAt)
	e.u32(uint32(f.Count))
	e.u32(uint32(f.Width))
	e.u32(uint32(f.Height))
	e.f32(f.Second)
	for _, v := range f.Box {
		e.f32(v)
	}
	q := f.Quality
	for _, v := range []float32{
		q.Score, q.Norm, q.EyeDistance, q.Laplacian, q.Luminance, q.ShareOver, q.ShareUnder, q.NoseOffset, q.NoseDrop, q.Roll,
	} {
		e.f32(v)
	}
	e.bool(f.Live.Done)
	e.f32(f.Live.MS27)
	e.f32(f.Live.SQ15)
	e.f32(f.Live.Lines)
	e.floats(f.Raw)
}

func decodeFace(d *decoder) Face {
	f := Face{Session: d.u32(), FrameAt: d.i64(), DoneAt: d.i64(), Count: d.size(), Width: d.size(), Height: d.size(), Second: d.f32()}
	for i := range f.Box {
		f.Box[i] = d.f32()
	}
	q := &f.Quality
	for _, v := range []*float32{
		&q.Score, &q.Norm, &q.EyeDistance, &q.Laplacian, &q.Luminance, &q.ShareOver, &q.ShareUnder, &q.NoseOffset, &q.NoseDrop, &q.Roll,
	} {
		*v = d.f32()
	}
	f.Live = FaceLive{Done: d.bool(), MS27: d.f32(), SQ15: d.f32(), Lines: d.f32()}
	f.Raw = d.floats(maxRaw)
	return f
}

func (h CameraHealth) encode(e *encoder) {
	e.bool(h.OK)
	e.bool(h.Dark)
	e.text(h.Err)
	e.f32(h.FPS)
	e.u32(uint32(h.AgeMillis))
	e.u32(uint32(h.Width))
	e.u32(uint32(h.Height))
}

func decodeHealth(d *decoder) CameraHealth {
	return CameraHealth{
		OK: d.bool(), Dark: d.bool(), Err: d.text(maxText), FPS: d.f32(), AgeMillis: int32(d.u32()), Width: d.size(), Height: d.size(),
	}
}

func (m Image) encode(e *encoder) {
	if len(m.JPEG) > maxJPEG {
		e.err = ErrTooLarge
		return
	}
	e.u32(m.Session)
	e.i64(m.FrameAt)
	e.u32(uint32(m.Width))
	e.u32(uint32(m.Height))
	e.bytes(m.JPEG)
}

func (v View) encode(e *encoder) {
	if len(v.JPEG) > MaxView {
		e.err = ErrTooLarge
		return
	}
	e.i64(v.FrameAt)
	e.bytes(v.JPEG)
}

func decodeImage(d *decoder) Image {
	return Image{Session: d.u32(), FrameAt: d.i64(), Width: d.size(), Height: d.size(), JPEG: d.bytes(maxJPEG)}
}

// size reads a count or a length in pixels.
func (d *decoder) size() int {
	v := d.u32()
	if v > 1<<16 {
		d.fail("size %d", v)
		return 0
	}
	return int(v)
}
