package vision

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of a camera.
const (
	// StaleAfter is the age from which a frame is none.
	StaleAfter = 500 * time.Millisecond
	// DeadAfter is how long a camera may give no frame before it counts as dead.
	DeadAfter = 3 * time.Second
)

// monotonic is the time of frames, CLOCK_MONOTONIC nanoseconds.
func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}

// captureEnv bounds every wait inside the capture libraries: a silent RTSP camera would otherwise hold a read for 30 s.
// It must be set before the first camera of a process is opened.
var captureEnv = [][2]string{
	{"OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|timeout;2000000"},
	{"OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2"},
}

// CameraOptions describe a camera.
type CameraOptions struct {
	// Source is a V4L2 path, an http or https URL of an MJPEG stream, an rtsp URL, a video file, a folder of img_0001.jpg and so on, or such a pattern.
	Source string
	// Width, Height and FPS are asked of a device, which may give others; FPS also paces files. 0 asks nothing (files: 25). An http
	// or https camera cannot be asked: one whose pictures are of another width or height is refused.
	Width, Height, FPS int
	// Enter is told of each call into the capture library before it is made: open, grab or read, and the number of the frame it is to
	// give. Nil tells nobody.
	Enter func(step string, frame uint32)
}

// Health is the state of a camera.
type Health struct {
	// OK tells that a frame other than the one before came within DeadAfter. Err is why not, or what else is wrong.
	OK  bool
	Err string
	FPS float64
	// Age is the time since the newest frame, negative before the first.
	Age           time.Duration
	Width, Height int
	// Dark tells that the newest frame is nearly black.
	Dark bool
	// Busy is how long the capture has been inside one call into the library: 0 between calls. A call that does not come back can
	// only be ended together with the process.
	Busy time.Duration
}

// sourceKind is how a source is opened.
type sourceKind int

const (
	sourceDevice sourceKind = iota + 1
	sourceURL
	sourceMJPEG
	sourceImages
	sourceFile
)

// source is a source resolved: a device number or a path or URL.
type source struct {
	kind   sourceKind
	device int
	path   string
}

// paced tells that reading runs as fast as asked and ends.
func (s source) paced() bool { return s.kind == sourceImages || s.kind == sourceFile }

var (
	videoNode = regexp.MustCompile(`^/dev/video([0-9]{1,4})$`)
	numbered  = regexp.MustCompile(`^[^%]*%0?[0-9]?d[^%]*$`)
)

// resolve finds out what a source is. It is asked before every opening, since a device's number changes when it is plugged in anew.
func resolve(s string) (source, error) {
	if scheme, _, ok := strings.Cut(s, "://"); ok {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || (scheme != "http" && scheme != "https" && scheme != "rtsp") {
			return source{}, fmt.Errorf("%w: a URL must be http, https or rtsp with a host", ErrCamera)
		}
		if scheme == "rtsp" {
			return source{kind: sourceURL, path: s}, nil
		}
		return source{kind: sourceMJPEG, path: s}, nil
	}
	if strings.HasPrefix(s, "/dev/") {
		return resolveDevice(s)
	}
	if strings.Contains(s, "%") {
		if !numbered.MatchString(s) {
			return source{}, fmt.Errorf("%w: a pattern of pictures has one number, such as img_%%04d.jpg", ErrCamera)
		}
		return source{kind: sourceImages, path: s}, nil
	}
	st, err := os.Stat(s)
	switch {
	case err != nil:
		return source{}, fmt.Errorf("%w: %w", ErrCamera, err)
	case st.IsDir():
		return source{kind: sourceImages, path: filepath.Join(s, "img_%04d.jpg")}, nil
	case st.Mode().IsRegular():
		return source{kind: sourceFile, path: s}, nil
	default:
		return source{}, fmt.Errorf("%w: neither device, URL, file nor folder", ErrCamera)
	}
}

func resolveDevice(s string) (source, error) {
	node, err := filepath.EvalSymlinks(s)
	if err != nil {
		return source{}, fmt.Errorf("%w: %w: is it plugged in", ErrCamera, err)
	}
	m := videoNode.FindStringSubmatch(node)
	if m == nil {
		return source{}, fmt.Errorf("%w: %s is not a video device", ErrCamera, node)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return source{}, fmt.Errorf("%w: %w", ErrCamera, err)
	}
	return source{kind: sourceDevice, device: n}, nil
}
