// The gate's own networks called from C++ with nothing but OpenCV: what the way
// through Go costs is the difference. Usage: opencv MODELS THREADS.
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>

#include <cmath>
#include <iostream>
#include <string>

#include "pipe.h"

using cv::Mat;
using cv::Point2d;
using cv::Rect;
using cv::Rect2d;
using cv::Scalar;
using cv::Size;

// Face is what is known of the chosen face.
struct Face {
	Rect2d box;
	Point2d points[5];
	Mat aligned, vector;
	double live[3] = {};
	double quality[5] = {};
};

// Networks hold the four models.
struct Networks {
	cv::dnn::Net detect, landmark, feature, liveness;

	explicit Networks(const std::string &dir) {
		auto open = [&](const char *name) { return cv::dnn::readNetFromONNX(dir + "/fr_" + name + ".onnx"); };
		detect = open("detect"), landmark = open("landmark"), feature = open("feature"), liveness = open("liveness");
	}

	static Mat run(cv::dnn::Net &net, const Mat &in, double scale, int side, const Scalar &mean) {
		net.setInput(cv::dnn::blobFromImage(in, scale, Size(side, side), mean, false, false));
		return net.forward();
	}
};

// inside cuts a rectangle out; what reaches over the edge is filled.
static Mat inside(const Mat &frame, const Rect &r, int border) {
	Rect in = r & Rect(0, 0, frame.cols, frame.rows);
	if (in == r) return frame(in);
	Mat out;
	cv::copyMakeBorder(frame(in), out, in.y - r.y, r.br().y - in.br().y, in.x - r.x, r.br().x - in.br().x,
		border | cv::BORDER_ISOLATED, Scalar());
	return out;
}

static std::vector<Rect2d> detect(Networks &n, const Mat &frame) {
	const Size input(320, 240);
	// The frame shrinks into the upper left of a 4:3 canvas.
	double w = std::max(frame.cols, frame.rows * 4 / 3), h = std::max(frame.rows, frame.cols * 3 / 4);
	Mat small, canvas;
	cv::resize(frame, small, Size(cvRound(frame.cols * input.width / w), cvRound(frame.rows * input.height / h)), 0, 0, cv::INTER_LINEAR);
	cv::copyMakeBorder(small, canvas, 0, input.height - small.rows, 0, input.width - small.cols, cv::BORDER_CONSTANT, Scalar::all(127));
	n.detect.setInput(cv::dnn::blobFromImage(canvas, 1.0 / 128, input, Scalar::all(127), true, false));
	std::vector<Mat> out;
	n.detect.forward(out, std::vector<cv::String>{"scores", "boxes"});
	const float *scores = out[0].ptr<float>(), *corners = out[1].ptr<float>();
	std::vector<Rect2d> boxes, kept;
	std::vector<float> sure;
	for (size_t i = 0, all = out[0].total() / 2; i < all; i++) {
		if (scores[2 * i + 1] <= 0.7f) continue;
		const float *c = corners + 4 * i;
		boxes.emplace_back(Point2d(c[0] * w, c[1] * h), Point2d(c[2] * w, c[3] * h));
		sure.push_back(scores[2 * i + 1]);
	}
	std::vector<int> best;
	cv::dnn::NMSBoxes(boxes, sure, 0.7f, 0.4f, best);
	for (int i : best) kept.push_back(boxes[i]);
	return kept;
}

static Point2d centre(const Rect2d &b) { return {b.x + b.width / 2, b.y + b.height / 2}; }

static Rect2d choose(const std::vector<Rect2d> &list, const Mat &frame, bool middle) {
	auto better = [&](const Rect2d &a, const Rect2d &b) {
		if (!middle) return a.width > b.width;
		Point2d c(frame.cols / 2.0, frame.rows / 2.0);
		return cv::norm(centre(a) - c) < cv::norm(centre(b) - c);
	};
	Rect2d best = list[0];
	for (auto &b : list)
		if (better(b, best)) best = b;
	return best;
}

static void landmarks(Networks &n, const Mat &frame, Face &f) {
	double side = 1.1 * (f.box.width + f.box.height) / 2;
	Point2d c = centre(f.box);
	Rect r(cv::Point(cvRound(c.x - side / 2), cvRound(c.y - side / 2)), cv::Point(cvRound(c.x + side / 2), cvRound(c.y + side / 2)));
	Mat grey, small;
	cv::cvtColor(inside(frame, r, cv::BORDER_REPLICATE), grey, cv::COLOR_BGR2GRAY);
	cv::resize(grey, small, Size(64, 64), 0, 0, cv::INTER_LINEAR);
	Mat out = Networks::run(n.landmark, small, 1.0 / 256, 64, Scalar());
	const float *v = out.ptr<float>();
	auto mean = [&](std::initializer_list<int> which) {
		Point2d sum;
		for (int i : which) sum += Point2d(r.x + v[2 * i] * r.width, r.y + v[2 * i + 1] * r.height);
		return sum / double(which.size());
	};
	f.points[0] = mean({37, 38, 40, 41}), f.points[1] = mean({43, 44, 46, 47});
	f.points[2] = mean({30}), f.points[3] = mean({48, 60}), f.points[4] = mean({54, 64});
}

static void align(const Mat &frame, Face &f) {
	static const double to[5][2] = {
		{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}};
	// Least squares for x' = a x - b y + s, y' = b x + a y + t.
	Mat rows(10, 4, CV_64F), want(10, 1, CV_64F), fit;
	for (int i = 0; i < 5; i++) {
		double x = f.points[i].x, y = f.points[i].y;
		double line[2][4] = {{x, -y, 1, 0}, {y, x, 0, 1}};
		for (int k = 0; k < 2; k++) {
			std::copy(line[k], line[k] + 4, rows.ptr<double>(2 * i + k));
			want.at<double>(2 * i + k) = to[i][k];
		}
	}
	cv::solve(rows, want, fit, cv::DECOMP_SVD);
	double a = fit.at<double>(0), b = fit.at<double>(1), s = fit.at<double>(2), t = fit.at<double>(3), scale = std::hypot(a, b);
	Mat from = frame, smooth;
	if (scale < 0.55) {  // much larger than the template: smooth what bilinear sampling would skip
		double sigma = 0.45 / scale, reach = 3 * sigma + 2;
		cv::Matx22d back(a, b, -b, a);
		std::vector<cv::Point2f> corners;
		for (auto c : {Point2d(0, 0), Point2d(112, 0), Point2d(0, 112), Point2d(112, 112)}) {
			cv::Vec2d p = back * cv::Vec2d(c.x - s, c.y - t) * (1 / (scale * scale));
			corners.emplace_back(p[0], p[1]);
		}
		Rect2d all(cv::boundingRect(corners));
		Rect r(cvFloor(all.x - reach), cvFloor(all.y - reach), cvCeil(all.width + 2 * reach), cvCeil(all.height + 2 * reach));
		r &= Rect(0, 0, frame.cols, frame.rows);
		cv::GaussianBlur(frame(r), smooth, Size(), sigma, sigma);
		from = smooth;
		s += a * r.x - b * r.y, t += b * r.x + a * r.y;
	}
	Mat warp = (cv::Mat_<double>(2, 3) << a, -b, s, b, a, t);
	cv::warpAffine(from, f.aligned, warp, Size(112, 112), cv::INTER_LINEAR);
}

// quality takes the exposure and sharpness that the gate judges a frame by.
static void quality(Face &f) {
	Mat grey, smooth, edges;
	cv::cvtColor(f.aligned, grey, cv::COLOR_BGR2GRAY);
	f.quality[0] = cv::mean(grey)[0];
	f.quality[1] = cv::countNonZero(grey > 245) / double(grey.total());
	f.quality[2] = cv::countNonZero(grey < 25) / double(grey.total());
	cv::GaussianBlur(grey(Rect(20, 30, 72, 70)).clone(), smooth, Size(), 0.8, 0.8);
	cv::Laplacian(smooth, edges, CV_64F);
	Scalar mean, high, low;
	cv::meanStdDev(edges, mean, high);
	cv::meanStdDev(smooth, mean, low);
	f.quality[3] = 1000 * high[0] * high[0] / (low[0] * low[0] + 1);
}

static double odds(Networks &n, const Mat &crop) {
	Mat out = Networks::run(n.liveness, crop, 1, 128, Scalar());
	const float *l = out.ptr<float>();
	double m = std::max(l[1], l[2]);
	return l[0] - (m + std::log(std::exp(l[1] - m) + std::exp(l[2] - m)));
}

static void liveness(Networks &n, const Mat &frame, Face &f) {
	const Rect2d &b = f.box;
	Point2d c = centre(b);
	// The wide crop keeps the box's shape and is pushed into the frame.
	double grow = std::min({2.7, (frame.cols - 1) / b.width, (frame.rows - 1) / b.height});
	cv::Size2d want(b.width * grow, b.height * grow);
	double x = std::min(std::max(c.x - want.width / 2, 0.0), frame.cols - 1 - want.width);
	double y = std::min(std::max(c.y - want.height / 2, 0.0), frame.rows - 1 - want.height);
	const double hair = 1e-6;  // an edge that is to lie on the frame's may fall just short of it
	Rect wide(cv::Point(int(x + hair), int(y + hair)), cv::Point(int(x + want.width + hair) + 1, int(y + want.height + hair) + 1));
	f.live[0] = odds(n, frame(wide & Rect(0, 0, frame.cols, frame.rows)));
	int side = cvRound(std::max(b.width, b.height) * 1.5);
	Rect square(cvRound(c.x - side / 2.0), cvRound(c.y - side / 2.0), side, side);
	f.live[1] = odds(n, inside(frame, square, cv::BORDER_CONSTANT));
	// Long straight lines around the face.
	Rect around(cv::Point(int(b.x - 1.3 * b.width), int(b.y - b.width)), cv::Point(int(b.x + 2.3 * b.width), int(b.y + b.height + b.width)));
	Mat grey, smooth, edges;
	cv::cvtColor(frame(around & Rect(0, 0, frame.cols, frame.rows)), grey, cv::COLOR_BGR2GRAY);
	cv::GaussianBlur(grey, smooth, Size(5, 5), 0);
	cv::Canny(smooth, edges, 40, 120);
	std::vector<cv::Vec4i> lines;
	cv::HoughLinesP(edges, lines, 1, CV_PI / 180, 60, 0.9 * b.width, 8);
	f.live[2] = double(lines.size());
}

static void answer(size_t found, const Face &f, const double (&t)[5]) {
	std::printf("{\"found\":%zu,\"box\":[%.3f,%.3f,%.3f,%.3f],\"vector\":[", found, f.box.x, f.box.y, f.box.width, f.box.height);
	for (size_t i = 0; i < f.vector.total(); i++) std::printf(i ? ",%.6g" : "%.6g", f.vector.ptr<float>()[i]);
	std::printf("],\"live\":[%.4f,%.4f,%.0f],\"micros\":{\"detect\":%.1f,\"landmarks\":%.1f,\"embed\":%.1f,\"liveness\":%.1f,\"frame\":%.1f}}\n",
		f.live[0], f.live[1], f.live[2], t[0], t[1], t[2], t[3], t[4]);
	std::fflush(stdout);
}

int main(int argc, char **argv) {
	if (argc != 3) {
		std::cerr << "usage: opencv MODELS THREADS\n";
		return 2;
	}
	cv::setNumThreads(std::stoi(argv[2]));
	Networks n(argv[1]);
	for (Picture p; p.next();) {
		Mat frame(int(p.head[1]), int(p.head[0]), CV_8UC3, p.bgr.data());
		Face f;
		double t[5] = {}, begin = micros(), last = begin;
		auto lap = [&] { double now = micros(), d = now - last; return last = now, d; };
		auto found = detect(n, frame);
		t[0] = lap();
		if (!found.empty()) {
			f.box = choose(found, frame, p.head[2] & PIPE_CENTRE);
			lap();
			landmarks(n, frame, f);
			t[1] = lap();
			align(frame, f);
			t[2] = lap();
			quality(f);
			lap();
			f.vector = Networks::run(n.feature, f.aligned, 1.0 / 128, 112, Scalar::all(127));
			t[2] += lap();
			if (p.head[2] & PIPE_LIVE) {
				liveness(n, frame, f);
				t[3] = lap();
			}
		}
		t[4] = micros() - begin;
		answer(found.size(), f, t);
	}
	return 0;
}
