package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bordergate/configs"
	"bordergate/hal/vision"
)

// The endurance run of a face worker.
const (
	warmFrames  = 1000 // after which memory is compared
	perSession  = 10   // frames of one traveller
	framePeriod = 25 * time.Millisecond
	growthLimit = 20 << 20
)

// framesReport is the result of "gatesim frames".
type framesReport struct {
	Simulated bool    `json:"simulated"`
	OK        bool    `json:"ok"`
	Frames    int     `json:"frames"`
	Faces     int     `json:"faces"`    // frames with one face
	Embedded  int     `json:"embedded"` // of them with an embedding
	Lived     int     `json:"lived"`    // of them with liveness scored
	Sessions  uint32  `json:"sessions"`
	Restarts  int     `json:"restarts"`
	Seconds   float64 `json:"seconds"`
	// Memory without that of files, bytes: after the warm-up, at the end, and the most that was seen.
	AnonWarm int64    `json:"anon_warm"`
	AnonEnd  int64    `json:"anon_end"`
	AnonMost int64    `json:"anon_most"`
	RSSEnd   int64    `json:"rss_end"`
	Faults   []string `json:"faults"`
}

func (r *framesReport) growth() int64 { return r.AnonEnd - r.AnonWarm }

// framesCommand is "gatesim frames": one real face worker sees travellers without end.
func framesCommand(ctx context.Context, args []string, out, errOut io.Writer) (bool, error) {
	o, err := parseFrames(args, errOut)
	if err != nil {
		return false, err
	}
	x, err := prepare(ctx, o, progress{errOut})
	if err != nil {
		return false, err
	}
	var loop [][]byte
	for _, v := range x.roles {
		a, err := v.actor(x.store)
		if err != nil {
			return false, err
		}
		for _, f := range a.Face.Loop {
			loop = append(loop, f.JPEG)
		}
	}
	if len(loop) < 2 {
		return false, errors.New("there are no frames to show")
	}
	r, err := endure(ctx, o, loop, errOut)
	if err != nil {
		return false, err
	}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return false, fmt.Errorf("write result: %w", err)
	}
	fmt.Fprintf(out, "%s\n", b)
	return r.OK, nil
}

// endure shows the loop to a worker until it has analysed as many frames as wanted, or ctx ends.
func endure(ctx context.Context, o options, loop [][]byte, errOut io.Writer) (*framesReport, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open camera: %w", err)
	}
	srv := &http.Server{Handler: reel(loop), ReadHeaderTimeout: 5 * time.Second}
	shown := make(chan error, 1)
	go func() { shown <- srv.Serve(ln) }()
	defer func() { _ = srv.Close(); <-shown }()

	wo, err := faceWorker(o, "http://"+ln.Addr().String()+"/face")
	if err != nil {
		return nil, err
	}
	w := vision.NewWorker(wo)
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx) }()
	r := &framesReport{Simulated: true, Faults: []string{}}
	began := time.Now()
	err = r.watch(ctx, w, o.frames, errOut)
	r.Seconds = time.Since(began).Seconds()
	stop()
	if end := <-served; !errors.Is(end, context.Canceled) {
		err = errors.Join(err, end)
	}
	r.OK = err == nil && r.Frames >= o.frames && r.growth() <= growthLimit && r.Restarts == 0 && r.Embedded > 0 && r.Lived > 0
	return r, err
}

// watch counts what the worker says.
func (r *framesReport) watch(ctx context.Context, w *vision.Worker, frames int, errOut io.Writer) error {
	pid := 0
	for r.Frames < frames {
		var e vision.Event
		select {
		case e = <-w.Events():
		case <-ctx.Done():
			r.Faults = append(r.Faults, "ended early")
			return nil
		}
		switch e := e.(type) {
		case vision.Up:
			pid = e.PID
			r.Sessions++
			w.Watch(r.Sessions)
		case vision.Down:
			r.Restarts++
			r.Faults = append(r.Faults, e.Err.Error())
			fmt.Fprintf(errOut, "worker down after %d frames: %v\n", r.Frames, e.Err)
		case vision.Face:
			r.see(e)
			if r.Frames%perSession == 0 {
				r.Sessions++
				w.Watch(r.Sessions)
			}
			if r.Frames%warmFrames == 0 {
				r.weigh(pid, errOut)
			}
		}
	}
	r.weigh(pid, errOut)
	return nil
}

func (r *framesReport) see(f vision.Face) {
	r.Frames++
	if f.Count == 1 {
		r.Faces++
	}
	if f.Raw != nil {
		r.Embedded++
	}
	if f.Live.Done {
		r.Lived++
	}
}

// weigh reads the worker's memory.
func (r *framesReport) weigh(pid int, errOut io.Writer) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		r.Faults = append(r.Faults, err.Error())
		return
	}
	r.AnonEnd, r.RSSEnd = sizeIn(string(b), "RssAnon"), sizeIn(string(b), "VmRSS")
	if r.AnonWarm == 0 {
		r.AnonWarm = r.AnonEnd
	}
	r.AnonMost = max(r.AnonMost, r.AnonEnd)
	fmt.Fprintf(errOut, "%s %d frames, %d embedded, %d scored for liveness: RssAnon %.1f MiB (%+.1f), RSS %.1f MiB\n",
		time.Now().UTC().Format(time.TimeOnly), r.Frames, r.Embedded, r.Lived, mib(r.AnonEnd), mib(r.growth()), mib(r.RSSEnd))
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// sizeIn reads a size out of a process's status, bytes; 0 where it is not.
func sizeIn(status, name string) int64 {
	_, rest, _ := strings.Cut(status, "\n"+name+":")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib << 10
}

// reel serves pictures in turn as a camera's stream, faster than any worker analyses them.
func reel(loop [][]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
		tick := time.NewTicker(framePeriod)
		defer tick.Stop()
		for n := 0; ; n++ {
			pic := loop[n%len(loop)]
			if _, err := fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(pic), pic); err != nil {
				return
			}
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}
}

// faceWorker is a worker as the gate starts it.
func faceWorker(o options, source string) (vision.Options, error) {
	wo := vision.DefaultOptions()
	wo.Program, wo.Args, wo.Name = filepath.Join(o.bin, "gatevision"), []string{"worker"}, "face"
	wo.CrashDir = filepath.Join(o.out, "crashes")
	wo.Config = vision.WorkerConfig{Role: vision.RoleFace, Source: source, Threads: 1}
	man, err := configs.LoadModels(o.manifest)
	if err != nil {
		return wo, fmt.Errorf("load manifest: %w", err)
	}
	for _, use := range []string{configs.UseDetect, configs.UseLandmark, configs.UseFeature, configs.UseLiveness} {
		f, ok := man.ByUse(use)
		if !ok {
			return wo, errors.New("manifest names no model for " + use)
		}
		file, err := vision.NewModelFile(use, f.Path(o.models), f.SHA256, f)
		if err != nil {
			return wo, err
		}
		wo.Config.Models = append(wo.Config.Models, file)
	}
	return wo, nil
}
