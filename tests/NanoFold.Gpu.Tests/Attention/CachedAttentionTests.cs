using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Attention;

public class CachedAttentionTests : GpuTests
{
    /// <summary>Chunks of new tokens for each of two rows.</summary>
    private static readonly int[][] s_counts = [[5, 3], [1, 1], [4, 0], [1, 1], [5, 5], [1, 1]];

    [TestCase(24, 0, 0, 0)]
    [TestCase(12, 4, 2, 0)]
    [TestCase(9, 5, 0, 0)]
    [TestCase(24, 0, 0, 3)]
    [TestCase(12, 4, 2, 3)]
    [TestCase(24, 0, 0, 0, VisibleKind.Full)]
    [TestCase(24, 3, 9, 0, VisibleKind.Full)]
    [TestCase(24, 0, 0, 0, VisibleKind.Prefix)]
    [TestCase(24, 0, 0, 2, VisibleKind.Prefix)]
    public void IsThatOfTheCpu(int capacity, int window, int sinks, int topK, VisibleKind kind = VisibleKind.Causal)
    {
        foreach (DType type in kind == VisibleKind.Causal ? [DType.Float32, DType.BFloat16, DType.Float16] : new[] { DType.Float32 })
        {
            using var gpu = new Rig(Gpu, type, capacity, kind, window, sinks, topK);
            using var cpu = new Rig(Cpu, DType.Float32, capacity, kind, window, sinks, topK);
            int[] positions = [0, 0];
            for (int step = 0; step < s_counts.Length; step++)
            {
                int[] counts = s_counts[step];
                float[][] actual = gpu.Run(step, positions, counts), expected = cpu.Run(step, positions, counts);
                Near.Assert($"{type} y of step {step}", actual[0], expected[0], Near.Tolerance(type));
                Assert.That(actual[1], Is.EqualTo(expected[1]), "keys");
                Assert.That(actual[2], Is.EqualTo(expected[2]), "values");
                positions = [positions[0] + counts[0], positions[1] + counts[1]];
            }
        }
    }

    [Test]
    public void CountsThatCannotBeAreNoTokens()
    {
        using var rig = new Rig(Gpu, DType.Float32, 8, VisibleKind.Causal, 0, 0, 0);
        float[][] results = rig.Run(0, [-3, 2], [1, 9]);
        Assert.That(results.SelectMany(x => x), Is.All.EqualTo(0f));
    }

    private sealed class Rig(Backend backend, DType type, int capacity, VisibleKind kind, int window, int sinks, int topK) : IDisposable
    {
        private const int Time = 5, Heads = 4, KeyHeads = 2, Depth = 8, ValueDepth = 12;

        private readonly Memory _memory = new(backend);
        private View _keys, _values;

        /// <summary>y and the caches behind a call; the caches go on to the next.</summary>
        public float[][] Run(int seed, int[] positions, int[] counts)
        {
            if (_keys.IsNone)
            {
                _keys = _memory.New(type, 2, capacity, KeyHeads, Depth);
                _values = _memory.New(type, 2, capacity, KeyHeads, ValueDepth);
            }

            View q = New(3 * seed, Heads, Depth), k = New(3 * seed + 1, KeyHeads, Depth), v = New(3 * seed + 2, KeyHeads, ValueDepth), y = New(1, Heads, ValueDepth);
            backend.Run(new CachedAttentionCall
            {
                Q = q,
                K = k,
                V = v,
                Y = y,
                KeyCache = _keys,
                ValueCache = _values,
                Positions = _memory.Integers([2], positions),
                Counts = _memory.Integers([2], counts),
                Scale = 0.4,
                Visible = new Visible { Kind = kind, Window = window, Sinks = sinks, Prefixes = kind == VisibleKind.Prefix ? _memory.Integers([2], [4, 3]) : default },
                TopK = topK,
            });
            return [_memory.Read(y), _memory.Read(_keys), _memory.Read(_values)];
        }

        public void Dispose() => _memory.Dispose();

        private View New(int seed, int heads, int depth)
        {
            var random = new Random(seed);
            var values = new float[2 * Time * heads * depth];
            for (int i = 0; i < values.Length; i++)
            {
                values[i] = random.Next(-64, 65) / 32f;
            }

            return _memory.New(type, [2, Time, heads, depth], values);
        }
    }
}
