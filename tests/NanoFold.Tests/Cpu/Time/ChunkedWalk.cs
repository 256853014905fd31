using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Time;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.Time;

/// <summary>
/// Rows of different lengths, with documents in them, once walked whole and once a chunk at a time as decoding does: each call moves another number of places of
/// each row, some none; places that only fill a chunk up hold what is no number. The two must give the same outputs and leave the same state.
/// </summary>
internal sealed class ChunkedWalk : IDisposable
{
    private const int Batch = 3, Time = 11, Chunk = 4;

    // Places of each row in each call; they add up to all.
    private static readonly int[][] s_counts = [[4, 0, 1], [4, 4, 0], [0, 3, 4], [3, 4, 2], [0, 0, 4]];

    private readonly Backend _backend;
    private readonly DType _type;
    private readonly List<IDisposable> _owned = [];
    private readonly double[] _continues = [.. Enumerable.Range(0, Batch * Time).Select(i => i % Time == 0 || i % 7 == 5 ? 0.0 : 1)];

    public ChunkedWalk(Backend backend, DType type)
    {
        _backend = backend;
        _type = type;
    }

    /// <summary>Largest difference, relative to the largest magnitude.</summary>
    public static double Tolerance(DType type) => type switch
    {
        DType.BFloat16 => 1e-2,
        DType.Float16 => 2e-3,
        _ => 2e-6,
    };

    public void AssertScan(int width, bool hasInitial)
    {
        double[] a = Values("a", Time * width, 0.2, 1), x = Values("x", Time * width, -1, 1), initial = Values("initial", width, -1, 1);
        View state = Sum(Batch, width, hasInitial ? initial : new double[Batch * width]), final = Sum(Batch, width, new double[Batch * width]);
        View whole = New([Batch, Time, width], new double[a.Length]);
        IKernel<ScanCall> kernel = _backend.Require<ScanCall>();
        kernel.Run(new ScanCall
        {
            A = New([Batch, Time, width], a), X = New([Batch, Time, width], x), H = whole, Continues = Continues(), Initial = hasInitial ? Copy(state) : default, Final = final,
        });
        Walk(width, whole, (places, counts, continues, y) => kernel.Run(new ScanCall
        {
            A = Gather(a, width, places), X = Gather(x, width, places), H = y, Continues = continues, Counts = counts, Initial = state, Final = state,
        }));
        AssertClose(state, final, "state");
    }

    public void AssertMaxScan(int width)
    {
        double[] a = Values("a", Time * width, -1, 0), x = Values("x", Time * width, -2, 2);
        View state = Sum(Batch, width, new double[Batch * width]), whole = New([Batch, Time, width], new double[a.Length]), carried = New([Batch, Time, width], new double[a.Length]);
        IKernel<MaxScanCall> kernel = _backend.Require<MaxScanCall>();
        kernel.Run(new MaxScanCall { A = New([Batch, Time, width], a), X = New([Batch, Time, width], x), M = whole, Carried = carried, Continues = Continues() });
        Walk(width, whole, (places, counts, continues, y) => kernel.Run(new MaxScanCall
        {
            A = Gather(a, width, places), X = Gather(x, width, places), M = y, Carried = Copy(y), Continues = continues, Counts = counts, State = state,
        }));
        double[] last = Host.Read(_backend, whole);
        Numbers.AssertClose(Host.Read(_backend, state), [.. Enumerable.Range(0, Batch * width).Select(i => last[(((i / width * Time) + Time - 1) * width) + (i % width)])], Tolerance(_type), "state");
    }

    public void AssertWkv(int width)
    {
        double[] k = Values("k", Time * width, -3, 3), v = Values("v", Time * width, -1, 1);
        View decay = New([width], Numbers.Uniform("decay", width, -3, 0)), bonus = New([width], Numbers.Uniform("bonus", width, -1, 1));
        View state = Sum(Batch * 3, width, new double[Batch * 3 * width]), final = Copy(state), whole = New([Batch, Time, width], new double[k.Length]);
        IKernel<WkvCall> kernel = _backend.Require<WkvCall>();
        kernel.Run(new WkvCall { K = New([Batch, Time, width], k), V = New([Batch, Time, width], v), Decay = decay, Bonus = bonus, Y = whole, Continues = Continues(), State = final });
        Walk(width, whole, (places, counts, continues, y) => kernel.Run(new WkvCall
        {
            K = Gather(k, width, places), V = Gather(v, width, places), Decay = decay, Bonus = bonus, Y = y, Continues = continues, Counts = counts, State = state,
        }));
        AssertClose(state, final, "state");
    }

    public void AssertConvolution(int width, int taps)
    {
        double[] x = Values("x", Time * width, -1, 1);
        View weight = New([width, taps], Numbers.Uniform("weight", width * taps, -1, 1)), bias = New([width], Numbers.Uniform("bias", width, -1, 1));
        View whole = New([Batch, Time, width], new double[x.Length]), state = taps == 1 ? default : New([Batch, taps - 1, width], new double[Batch * (taps - 1) * width]);
        IKernel<ConvolutionCall> kernel = _backend.Require<ConvolutionCall>();
        kernel.Run(new ConvolutionCall { X = New([Batch, Time, width], x), Weight = weight, Bias = bias, Y = whole, Continues = Continues() });
        Walk(width, whole, (places, counts, continues, y) => kernel.Run(new ConvolutionCall
        {
            X = Gather(x, width, places), Weight = weight, Bias = bias, Y = y, Continues = continues, State = state, Counts = counts,
        }));
        if (taps > 1)
        {
            // The last inputs as they came, but 0 before the last beginning.
            double[] kept = Host.Read(_backend, state);
            for (int i = 0; i < kept.Length; i++)
            {
                int row = i / width / (taps - 1), place = Time - taps + 1 + i / width % (taps - 1), begin = Array.FindLastIndex(_continues, (row + 1) * Time - 1, c => c == 0) - row * Time;
                double expected = place < begin ? 0 : Host.Rounded([x[(row * Time + place) * width + i % width]], _type)[0];
                Assert.That(kept[i], Is.EqualTo((double)(float)expected), $"state of row {row}, place {place}");
            }
        }
    }

    public void AssertRecurrent<TCell>(int width, int depth, bool hasInitial)
        where TCell : struct, IRecurrentCell
    {
        int gates = TCell.Gates, states = TCell.States;
        double[] x = Values("x", Time * gates * width, -1, 1), initial = Values("initial", states * width, -1, 1);
        View weight = New([gates * width, depth], Numbers.Uniform("weight", gates * width * depth, -0.5, 0.5)), bias = New([gates * width], Numbers.Uniform("bias", gates * width, -1, 1));
        View state = Sum(Batch, states * width, hasInitial ? initial : new double[initial.Length]), final = Sum(Batch, states * width, new double[initial.Length]);
        View whole = New([Batch, Time, width], new double[Batch * Time * width]);
        IKernel<RecurrentCall<TCell>> kernel = _backend.Require<RecurrentCall<TCell>>();
        Run(new RecurrentCall<TCell>
        {
            X = New([Batch, Time, gates * width], x), Weight = weight, Bias = bias, H = whole, Continues = Continues(), Initial = hasInitial ? Copy(state) : default, Final = final,
        });
        Walk(width, whole, (places, counts, continues, y) => Run(new RecurrentCall<TCell>
        {
            X = Gather(x, gates * width, places), Weight = weight, Bias = bias, H = y, Continues = continues, Counts = counts, Initial = state, Final = state,
        }));
        AssertClose(state, final, "state");

        // Two places are few enough for a kernel to take another way.
        void Run(in RecurrentCall<TCell> call)
        {
            DeviceBuffer scratch = _backend.Allocate(kernel.ScratchBytes(call));
            _owned.Add(scratch);
            kernel.Run(call with { Scratch = new View(scratch, 0, Layout.Of((int)(scratch.Bytes / sizeof(float))), DType.Float32) });
        }
    }

    public void Dispose() => _owned.ForEach(o => o.Dispose());

    // Runs all calls; compares each with its part of the whole.
    private void Walk(int width, in View whole, Action<int[][], View, View, View> call)
    {
        double[] expected = Host.Read(_backend, whole);
        var done = new int[Batch];
        foreach (int[] counts in s_counts)
        {
            int chunk = counts.Max() <= 2 ? 2 : Chunk;
            int[][] places = [.. Enumerable.Range(0, Batch).Select(b => Enumerable.Range(0, chunk).Select(t => t < counts[b] ? b * Time + done[b] + t : -1).ToArray())];
            View y = New([Batch, chunk, width], [.. Enumerable.Repeat(7.0, Batch * chunk * width)]);
            View continues = New([Batch, chunk], [.. places.SelectMany(p => p).Select(p => p < 0 ? 1 : _continues[p])]);
            call(places, Host.New(_backend, [Batch], counts, _owned), continues, y);
            double[] actual = Host.Read(_backend, y), wanted = [.. places.SelectMany(p => p).SelectMany(p => p < 0 ? new double[width] : expected[(p * width)..((p + 1) * width)])];
            Numbers.AssertClose(actual, wanted, Tolerance(_type), $"after {string.Join(", ", done)}");
            for (int b = 0; b < Batch; b++)
            {
                done[b] += counts[b];
            }
        }

        Assert.That(done, Is.All.EqualTo(Time));
    }

    private static double[] Values(string name, int perRow, double low, double high) => Numbers.Uniform(name, Batch * perRow, low, high);

    private View Gather(double[] values, int width, int[][] places) =>
        New([Batch, places[0].Length, width], [.. places.SelectMany(p => p).SelectMany(p => p < 0 ? [.. Enumerable.Repeat(double.NaN, width)] : values[(p * width)..((p + 1) * width)])]);

    private View Continues() => New([Batch, Time], _continues);

    private View New(int[] shape, double[] values) => Host.New(_backend, _type, shape, Host.Rounded(values, _type), _owned);

    private View Sum(int rows, int width, double[] values) => Host.New(_backend, _type.Sum(), [rows, width], values, _owned);

    private View Copy(in View view) => Host.New(_backend, view.Type, view.Layout.ToShape(), Host.Read(_backend, view), _owned);

    private void AssertClose(in View actual, in View expected, string message) =>
        Numbers.AssertClose(Host.Read(_backend, actual), Host.Read(_backend, expected), Tolerance(_type), message);
}
