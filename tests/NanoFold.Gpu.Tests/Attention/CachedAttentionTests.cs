using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Tests.Suites;

namespace NanoFold.Gpu.Tests.Attention;

public class CachedAttentionTests : GpuTests
{
    /// <summary>Chunks of new tokens for each of two rows.</summary>
    private static readonly int[][] s_counts = [[5, 3], [1, 1], [4, 0], [1, 1], [5, 5], [1, 1]];

    [TestCase(24, 0, 0)]
    [TestCase(12, 4, 2)]
    [TestCase(9, 5, 0)]
    [TestCase(24, 0, 0, VisibleKind.Full)]
    [TestCase(24, 3, 9, VisibleKind.Full)]
    [TestCase(24, 0, 0, VisibleKind.Prefix)]
    public void IsThatOfTheCpu(int capacity, int window, int sinks, VisibleKind kind = VisibleKind.Causal)
    {
        foreach (DType type in kind == VisibleKind.Causal ? [DType.Float32, DType.BFloat16, DType.Float16] : new[] { DType.Float32 })
        {
            using var gpu = new Rig(Gpu, type, capacity, kind, window, sinks);
            using var cpu = new Rig(Cpu, DType.Float32, capacity, kind, window, sinks);
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

    [TestCase(24, 0, 2)]
    [TestCase(12, 4, 1)]
    [TestCase(24, 0, 0)]
    public void DecaysSinkLogitsAndHeadsOfValuesAreThoseOfTheCpu(int capacity, int window, int valueHeads)
    {
        foreach (DType type in new[] { DType.Float32, DType.BFloat16 })
        {
            using var gpu = new Rig(Gpu, type, capacity, VisibleKind.Causal, window, 0, valueHeads, hasTerms: true);
            using var cpu = new Rig(Cpu, DType.Float32, capacity, VisibleKind.Causal, window, 0, valueHeads, hasTerms: true);
            int[] positions = [0, 0];
            for (int step = 0; step < s_counts.Length; step++)
            {
                int[] counts = s_counts[step];
                float[][] actual = gpu.Run(step, positions, counts), expected = cpu.Run(step, positions, counts);
                Near.Assert($"{type} y of step {step}", actual[0], expected[0], Near.Tolerance(type));
                for (int i = 1; i < actual.Length; i++)
                {
                    Assert.That(actual[i], Is.EqualTo(expected[i]), $"cache {i}");
                }

                positions = [positions[0] + counts[0], positions[1] + counts[1]];
            }
        }
    }

    [Test]
    public void CountsThatCannotBeAreNoTokens()
    {
        using var rig = new Rig(Gpu, DType.Float32, 8, VisibleKind.Causal, 0, 0);
        float[][] results = rig.Run(0, [-3, 2], [1, 9]);
        Assert.That(results.SelectMany(x => x), Is.All.EqualTo(0f));
    }

    private sealed class Rig(Backend backend, DType type, int capacity, VisibleKind kind, int window, int sinks, int valueHeads = 2, bool hasTerms = false) : IDisposable
    {
        private const int Time = 5, Heads = 4, KeyHeads = 2, Depth = 8, ValueDepth = 12, PartDepth = 6;

        private readonly Memory _memory = new(backend);
        private View _keys, _values, _decays;

        // Without heads of their own values are the first elements of keys.
        private int ValueSize => valueHeads > 0 ? ValueDepth : PartDepth;

        /// <summary>y and the caches after a call; the caches go on to the next.</summary>
        public float[][] Run(int seed, int[] positions, int[] counts)
        {
            if (_keys.IsNone)
            {
                _keys = _memory.New(type, 2, capacity, KeyHeads, Depth);
                _values = valueHeads > 0 ? _memory.New(type, 2, capacity, valueHeads, ValueDepth) : default;
                _decays = hasTerms ? _memory.New(DType.Float32, 2, Heads, capacity) : default;
            }

            View q = New(3 * seed, Heads, Depth), k = New(3 * seed + 1, KeyHeads, Depth), v = valueHeads > 0 ? New(3 * seed + 2, valueHeads, ValueDepth) : default, y = New(1, Heads, ValueSize);
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
                Decay = hasTerms ? _memory.New(DType.Float32, [2, Heads, Time], [.. Enumerable.Range(0, 2 * Heads * Time).Select(i => -0.25f * ((seed * Time) + (i % Time)) * (1 + (i / Time % Heads)))]) : default,
                DecayCache = _decays,
                SinkLogits = hasTerms ? _memory.New(type, [Heads], [0.5f, -1, 2, 0]) : default,
            });
            return [_memory.Read(y), _memory.Read(_keys), .. valueHeads > 0 ? new[] { _memory.Read(_values) } : [], .. hasTerms ? new[] { _memory.Read(_decays) } : []];
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
