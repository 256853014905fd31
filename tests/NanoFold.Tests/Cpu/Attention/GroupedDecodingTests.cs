using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.Attention.Cached;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.Attention;

/// <summary>A few new tokens over a cache, whose query heads share key heads, against attention by its definition in float64.</summary>
[Parallelizable]
public sealed class GroupedDecodingTests
{
    private static readonly Isa[] s_paths = [Isa.Scalar, Isa.Vector128, Isa.Vector256, Isa.Vector512];

    [Test]
    public void AnyGroupAndAnyHeadSize([Values(1, 2, 3, 4, 5, 7, 8, 9, 16)] int group)
    {
        foreach ((int depth, int valueDepth) in new[] { (1, 1), (8, 8), (11, 13), (16, 40), (24, 8), (64, 64), (72, 80), (80, 31), (128, 100) })
        {
            foreach (int keys in new[] { 1, 2, 5, 97, 300 })
            {
                Verify(new Case(group, 2, depth, valueDepth, keys));
            }
        }
    }

    /// <summary>More keys than a part has, and a cache that is read for all heads at once or head by head.</summary>
    [Test]
    public void LongCaches([Values(1, 3, 4, 8)] int group, [Values(601, 4000)] int capacity)
    {
        foreach (int keys in new[] { 257, 512, 601 })
        {
            Verify(new Case(group, 3, 64, 64, keys) { Capacity = capacity });
            Verify(new Case(group, 3, 64, 64, keys) { Capacity = capacity, Window = 267, Sinks = 5 });
        }
    }

    [Test]
    public void WindowsCapsDecaysAndSinkLogits([Values(1, 2, 3, 4, 8)] int group, [Values(1, 2, 3)] int tokens)
    {
        foreach (int keys in new[] { 3, 50, 203 })
        {
            Case plain = new(group, 3, 40, 24, keys) { Tokens = tokens };
            Verify(plain with { Window = 17 });
            Verify(plain with { Window = 17, Sinks = 3 });
            Verify(plain with { Cap = 0.7 });
            Verify(plain with { HasDecays = true });
            Verify(plain with { HasSinkLogits = true });
            Verify(plain with { HasSinkLogits = true, Cap = 0.5, Window = 101, Sinks = 2 });
            Verify(plain with { HasSinkLogits = true, HasDecays = true, Window = 100 });
        }
    }

    [Test]
    public void ValuesMayHaveFewerHeads([Values(1, 3, 4)] int group) => Verify(new Case(group, 4, 16, 16, 70) { ValueHeads = 2 });

    [Test]
    public void ScoresThatAreNotNumbersReachTheirOwnHeadsAlone([ValueSource(nameof(s_paths))] Isa isa)
    {
        var of = new Case(3, 2, 16, 16, 40);
        using var rig = new Rig(of, DType.Float32);
        rig.Q[0] = double.NaN;
        double[] y = rig.Run(isa, threads: 1);
        Assert.That(y[..16], Is.All.NaN);
        Assert.That(y[16..], Has.None.NaN);
    }

    [Test]
    public void BitsDoNotDependOnThreads([Values(1, 3, 4, 8)] int group, [Values(300, 4000)] int capacity)
    {
        foreach (int keys in new[] { 100, 290 })
        {
            using var rig = new Rig(new Case(group, 3, 64, 64, keys) { Capacity = capacity }, DType.Float32);
            double[] one = rig.Run(IsaExtensions.Best, threads: 1);
            foreach (int threads in new[] { 2, 3, 5 })
            {
                Numbers.AssertSameBits(rig.Run(IsaExtensions.Best, threads), one, $"{threads} threads");
            }
        }
    }

    // On every path.
    private static void Verify(Case of)
    {
        foreach (DType type in new[] { DType.Float32, DType.Float64 })
        {
            using var rig = new Rig(of, type);
            double[]? expected = null;
            double tolerance = type == DType.Float64 ? 1e-12 : 1e-5;
            foreach (Isa isa in s_paths)
            {
                double[] y = rig.Run(isa, threads: 1);
                expected ??= rig.Expected();
                for (int i = 0; i < y.Length; i++)
                {
                    if (!(Math.Abs(y[i] - expected[i]) <= tolerance))
                    {
                        Assert.Fail($"{of}, {type}, {isa}: element {i} is {y[i]}, expected {expected[i]}");
                    }
                }

                rig.AssertGuards();
            }
        }
    }

    /// <param name="Keys">That there are, the new ones among them.</param>
    private sealed record Case(int Group, int KeyHeads, int Depth, int ValueDepth, int Keys)
    {
        public int Tokens { get; init; } = 1;

        public int Capacity { get; init; } = Keys + 3;

        public int ValueHeads { get; init; } = KeyHeads;

        public int Window { get; init; }

        public int Sinks { get; init; }

        public double Cap { get; init; }

        public bool HasDecays { get; init; }

        public bool HasSinkLogits { get; init; }

        public int Heads => Group * KeyHeads;

        public double Scale => 1 / Math.Sqrt(Depth);
    }

    private sealed class Rig : IDisposable
    {
        private readonly Case _of;
        private readonly List<GuardedTensor> _all = [];
        private readonly GuardedTensor _k, _v, _y, _keys, _values, _positions, _counts;
        private readonly GuardedTensor? _decay, _decays, _sinkLogits;

        public Rig(Case of, DType type)
        {
            _of = of;
            var random = new Random(3);
            Q = New(type, [1, of.Tokens, of.Heads, of.Depth]).Fill(random, 2);
            _k = New(type, [1, of.Tokens, of.KeyHeads, of.Depth], 1, 3).Fill(random);
            _v = New(type, [1, of.Tokens, of.ValueHeads, of.ValueDepth], 2, 3).Fill(random);
            _y = New(type, [1, of.Tokens, of.Heads, of.ValueDepth]);
            _keys = New(type, [1, of.Capacity, of.KeyHeads, of.Depth]).Fill(random);
            _values = New(type, [1, of.Capacity, of.ValueHeads, of.ValueDepth]).Fill(random);
            _positions = New(DType.Int32, [1]).Fill(_ => of.Keys - of.Tokens);
            _counts = New(DType.Int32, [1]).Fill(_ => of.Tokens);
            _sinkLogits = of.HasSinkLogits ? New(type, [of.Heads]).Fill(random, 3) : null;
            if (of.HasDecays)
            {
                double Sum(int head, int position) => -0.01 * (head + 1) * position;
                _decay = New(type, [1, of.Heads, of.Tokens]).Fill(i => Sum(i / of.Tokens, of.Keys - of.Tokens + (i % of.Tokens)));
                _decays = New(type, [1, of.Heads, of.Capacity]).Fill(i => Sum(i / of.Capacity, i % of.Capacity));
            }
        }

        public GuardedTensor Q { get; }

        private int NewKeys => (_of.Keys - _of.Tokens) * _of.KeyHeads * _of.Depth;

        /// <summary>What an earlier run has written is not there any more.</summary>
        public double[] Run(Isa isa, int threads)
        {
            _y.Fill(_ => double.NaN);
            for (int i = 0; i < _k.Count; i++)
            {
                _keys[NewKeys + i] = double.NaN;
            }

            for (int i = 0; i < _v.Count; i++)
            {
                _values[((_of.Keys - _of.Tokens) * _of.ValueHeads * _of.ValueDepth) + i] = double.NaN;
            }

            using var context = new CpuContext(threads, isa);
            using var attention = new CpuCachedAttention(context);
            attention.Run(new CachedAttentionCall
            {
                Q = Q.View,
                K = _k.View,
                V = _v.View,
                Y = _y.View,
                KeyCache = _keys.View,
                ValueCache = _values.View,
                Positions = _positions.View,
                Counts = _counts.View,
                Scale = _of.Scale,
                Cap = _of.Cap,
                Decay = _decay?.View ?? default,
                DecayCache = _decays?.View ?? default,
                SinkLogits = _sinkLogits?.View ?? default,
                Visible = Visible.Causal with { Window = _of.Window, Sinks = _of.Sinks },
            });
            for (int i = 0; i < _k.Count; i++)
            {
                if (_keys[NewKeys + i] != _k[i])
                {
                    Assert.Fail($"{isa}: element {i} of the new keys is {_keys[NewKeys + i]} in the cache, not {_k[i]}");
                }
            }

            return _y.ToArray();
        }

        /// <summary>By the keys and values that are in the cache after a run.</summary>
        public double[] Expected()
        {
            double[] q = Q.ToArray(), keys = _keys.ToArray(), values = _values.ToArray(), y = new double[_y.Count];
            for (int token = 0; token < _of.Tokens; token++)
            {
                for (int head = 0; head < _of.Heads; head++)
                {
                    double[] weights = Weights(q, keys, token, head);
                    int valueHead = head / (_of.Heads / _of.ValueHeads);
                    for (int d = 0; d < _of.ValueDepth; d++)
                    {
                        for (int j = 0; j < weights.Length; j++)
                        {
                            y[(((token * _of.Heads) + head) * _of.ValueDepth) + d] += weights[j] * values[(((j * _of.ValueHeads) + valueHead) * _of.ValueDepth) + d];
                        }
                    }
                }
            }

            return y;
        }

        public void AssertGuards() => _all.ForEach(tensor => tensor.AssertGuards());

        public void Dispose() => _all.ForEach(tensor => tensor.Dispose());

        // Of the keys up to the token's own.
        private double[] Weights(double[] q, double[] keys, int token, int head)
        {
            int position = _of.Keys - _of.Tokens + token, keyHead = head / _of.Group;
            var scores = new double[position + 1];
            for (int j = 0; j <= position; j++)
            {
                if (_of.Window > 0 && position - j >= _of.Window && j >= _of.Sinks)
                {
                    scores[j] = double.NegativeInfinity;
                    continue;
                }

                for (int d = 0; d < _of.Depth; d++)
                {
                    scores[j] += q[(((token * _of.Heads) + head) * _of.Depth) + d] * keys[(((j * _of.KeyHeads) + keyHead) * _of.Depth) + d] * _of.Scale;
                }

                scores[j] = _of.Cap > 0 ? _of.Cap * Math.Tanh(scores[j] / _of.Cap) : scores[j];
                if (_decay is not null)
                {
                    scores[j] += _decay[(head * _of.Tokens) + token] - _decays![(head * _of.Capacity) + j];
                }
            }

            double sink = _sinkLogits?[head] ?? double.NegativeInfinity, highest = Math.Max(scores.Max(), sink);
            double sum = scores.Sum(score => Math.Exp(score - highest)) + Math.Exp(sink - highest);
            return [.. scores.Select(score => Math.Exp(score - highest) / sum)];
        }

        private GuardedTensor New(DType type, int[] shape, int parts = 0, int of = 1)
        {
            var tensor = new GuardedTensor(type, shape, parts, of);
            _all.Add(tensor);
            return tensor;
        }
    }
}
