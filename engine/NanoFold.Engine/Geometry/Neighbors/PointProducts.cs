using System.Buffers;
using System.Numerics.Tensors;
using NanoFold.Engine.Geometry.Spectra;
using NanoFold.Kernels;

namespace NanoFold.Engine.Geometry.Neighbors;

/// <summary>Products a·b of centered points with all points, some of them at a time.</summary>
internal abstract class PointProducts : IDisposable
{
    // Lengths whose squares float32 holds with room to spare.
    private const double LeastLength = 1e-12, LargestLength = 1e12;

    // Multiply-adds below which asking the engine does not pay.
    private const double LeastWork = 1 << 22;

    private PointProducts(CenteredPoints points) => Points = points;

    /// <summary>The points.</summary>
    public CenteredPoints Points { get; }

    /// <summary>How many are made at a time.</summary>
    public abstract int Block { get; }

    /// <summary>γ: a product is off by at most γ|a||b|, and by <see cref="Slack"/>.</summary>
    public abstract double Rounding { get; }

    /// <summary>What is lost of numbers far below the others.</summary>
    public virtual double Slack => 0;

    /// <summary>By the engine's matrix product where that pays and float32 holds the points, otherwise in double precision.</summary>
    public static PointProducts Of(CenteredPoints points, Backend? backend)
    {
        double largest = Math.Sqrt(TensorPrimitives.Max<double>(points.Squares)), work = (double)points.Count * points.Count * points.Width;
        return backend is { HoldsValues: true } && work >= LeastWork && largest is >= LeastLength and <= LargestLength ? new ByEngine(points, backend) : new ByTiles(points);
    }

    /// <summary>Makes those of points first … first + queries − 1.</summary>
    public abstract void Make(int first, int queries);

    /// <summary>Those of one of these with all points, [N]; to be changed as one likes.</summary>
    public abstract Span<double> Row(int query);

    /// <inheritdoc/>
    public abstract void Dispose();

    private sealed class ByTiles : PointProducts
    {
        private readonly int _padded;
        private readonly double[] _panels;
        private readonly double[] _products;

        public ByTiles(CenteredPoints points)
            : base(points)
        {
            _padded = GramTile.Pad(points.Count);
            _panels = ArrayPool<double>.Shared.Rent(checked(_padded * points.Width));
            _products = ArrayPool<double>.Shared.Rent(Block * _padded);
            // Columns of eight points side by side; there are zeros beyond the last point.
            _panels.AsSpan(points.Count / GramTile.Width * GramTile.Width * points.Width).Clear();
            for (int i = 0; i < points.Count; i++)
            {
                ReadOnlySpan<double> row = points.Row(i);
                Span<double> panel = _panels.AsSpan(i / GramTile.Width * GramTile.Width * points.Width);
                for (int c = 0, at = i % GramTile.Width; c < row.Length; c++, at += GramTile.Width)
                {
                    panel[at] = row[c];
                }
            }
        }

        public override int Block => 32;

        public override double Rounding => (Points.Width + 4) * 2.3e-16;

        public override void Make(int first, int queries)
        {
            queries = GramTile.Pad(queries);
            _products.AsSpan(0, queries * _padded).Clear();
            int length = GramTile.Width * Points.Width;
            for (int j = 0; j < _padded; j += GramTile.Width)
            {
                ReadOnlySpan<double> b = _panels.AsSpan(j * Points.Width, length);
                for (int q = 0; q < queries; q += GramTile.Width)
                {
                    GramTile.Add(_panels.AsSpan((first + q) * Points.Width, length), b, _products.AsSpan((q * _padded) + j), _padded);
                }
            }
        }

        public override Span<double> Row(int query) => _products.AsSpan(query * _padded, Points.Count);

        public override void Dispose()
        {
            ArrayPool<double>.Shared.Return(_panels);
            ArrayPool<double>.Shared.Return(_products);
        }
    }

    // On the device where the model is.
    private sealed class ByEngine : PointProducts
    {
        private const int MostElements = 1 << 19, LeastBlock = 16;

        private readonly Backend _backend;
        private readonly DeviceBuffer _points;
        private readonly DeviceBuffer _made;
        private readonly float[] _products;
        private readonly double[] _row;

        public ByEngine(CenteredPoints points, Backend backend)
            : base(points)
        {
            _backend = backend;
            _products = ArrayPool<float>.Shared.Rent(Math.Max(Block * points.Count, points.Count * points.Width));
            _row = new double[points.Count];
            _points = backend.Allocate((long)points.Count * points.Width * sizeof(float));
            _made = backend.Allocate((long)Block * points.Count * sizeof(float));
            for (int i = 0; i < points.Count; i++)
            {
                TensorPrimitives.ConvertTruncating(points.Row(i), _products.AsSpan(i * points.Width, points.Width));
            }

            backend.Upload<float>(_products.AsSpan(0, points.Count * points.Width), Rows(0, points.Count));
        }

        public override int Block => Math.Clamp(MostElements / Points.Count, LeastBlock, Points.Count);

        // Of float32, of the rounding of both points and of sums in any order.
        public override double Rounding => (Points.Width + 4) * 6e-8;

        public override double Slack => 1e-30;

        public override void Make(int first, int queries)
        {
            View y = new(_made, 0, Layout.Of(queries, Points.Count), DType.Float32);
            _backend.MatMul(new MatMulArgs { A = Rows(first, queries), B = Rows(0, Points.Count), Y = y, TransposeB = true });
            _backend.Download<float>(y, _products.AsSpan(0, queries * Points.Count));
        }

        public override Span<double> Row(int query)
        {
            TensorPrimitives.ConvertTruncating<float, double>(_products.AsSpan(query * Points.Count, Points.Count), _row);
            return _row;
        }

        public override void Dispose()
        {
            _points.Dispose();
            _made.Dispose();
            ArrayPool<float>.Shared.Return(_products);
        }

        private View Rows(int first, int count) => new(_points, (long)first * Points.Width, Layout.Of(count, Points.Width), DType.Float32);
    }
}
