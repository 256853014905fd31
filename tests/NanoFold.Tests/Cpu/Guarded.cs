using NanoFold.Kernels;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests.Cpu;

/// <summary>
/// A view of any strides amid memory whose other bytes hold a pattern: what a kernel writes outside its view is found. Values are seen as doubles,
/// in row-major order.
/// </summary>
public sealed class Guarded : IDisposable
{
    private const int Padding = 37;
    private const double Pattern = -777.25;

    private readonly NativeBuffer _buffer;
    private readonly long[] _offsets;

    public Guarded(Layout layout, DType type)
    {
        long elements = layout.Extent + 2 * Padding;
        _buffer = new NativeBuffer(elements * type.Size());
        View = new View(_buffer, Padding, layout, type);
        for (long i = 0; i < elements; i++)
        {
            Set(i, Pattern);
        }

        _offsets = Offsets(layout);
    }

    public View View { get; }

    public int Count => _offsets.Length;

    public double this[int index]
    {
        get => Get(Padding + _offsets[index]);
        set => Set(Padding + _offsets[index], value);
    }

    /// <summary>Deterministic values in [−2, 2).</summary>
    public static Guarded Random(Layout layout, DType type, int seed)
    {
        var result = new Guarded(layout, type);
        var random = new Random(seed);
        for (int i = 0; i < result.Count; i++)
        {
            result[i] = random.NextDouble() * 4 - 2;
        }

        return result;
    }

    public static Guarded Of(Layout layout, DType type, params double[] values)
    {
        var result = new Guarded(layout, type);
        for (int i = 0; i < result.Count; i++)
        {
            result[i] = values[i];
        }

        return result;
    }

    /// <summary>Offset of every element of a layout, in row-major order of its shape.</summary>
    public static long[] Offsets(Layout layout)
    {
        var offsets = new long[layout.Count];
        for (long i = 0; i < offsets.Length; i++)
        {
            long rest = i;
            for (int axis = layout.Rank - 1; axis >= 0; axis--)
            {
                offsets[i] += rest % layout[axis] * layout.Stride(axis);
                rest /= layout[axis];
            }
        }

        return offsets;
    }

    public double[] ToArray() => Enumerable.Range(0, Count).Select(i => this[i]).ToArray();

    /// <summary>The values as broadcast to another shape.</summary>
    public double[] As(Layout target)
        => Offsets(View.Layout.BroadcastTo(target)).Select(o => Get(Padding + o)).ToArray();

    /// <summary>The values are those expected, within a tolerance relative to the larger of 1 and the value, and nothing else was written.</summary>
    public void AssertEqual(double[] expected, double tolerance, string what)
    {
        double[] actual = ToArray();
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]) / Math.Max(1, Math.Abs(expected[i]));
            if (!(error <= tolerance) && !actual[i].Equals(expected[i]))
            {
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, expected {expected[i]:R}");
            }
        }

        AssertGuards(what);
    }

    public void AssertGuards(string what)
    {
        var inside = new HashSet<long>(_offsets.Select(o => o + Padding));
        for (long i = 0; i < View.Layout.Extent + 2 * Padding; i++)
        {
            if (!inside.Contains(i) && Get(i) != (View.Type == DType.Int32 ? (int)Pattern : Pattern))
            {
                Assert.Fail($"{what}: wrote outside its view, at {i - Padding}");
            }
        }
    }

    public void Dispose() => _buffer.Dispose();

    private double Get(long i) => View.Type switch
    {
        DType.Float64 => _buffer.Span<double>(i, 1)[0],
        DType.Int32 => _buffer.Span<int>(i, 1)[0],
        _ => _buffer.Span<float>(i, 1)[0],
    };

    private void Set(long i, double value)
    {
        switch (View.Type)
        {
            case DType.Float64:
                _buffer.Span<double>(i, 1)[0] = value;
                break;
            case DType.Int32:
                _buffer.Span<int>(i, 1)[0] = (int)value;
                break;
            default:
                _buffer.Span<float>(i, 1)[0] = (float)value;
                break;
        }
    }
}
