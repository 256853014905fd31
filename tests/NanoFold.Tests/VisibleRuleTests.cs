using NanoFold.Kernels;
using NanoFold.Kernels.Calls.Attention;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests;

/// <summary>The rule against its sentence, its bounds against the rule, and the count of pairs against counting.</summary>
public class VisibleRuleTests
{
    private const int Keys = 11;

    private static IEnumerable<(int Prefix, int Window, int Sinks)> Rules =>
        from prefix in new[] { 0, 1, 4, Keys, VisibleRule.Far }
        from window in new[] { 0, 1, 3, 6, Keys, 40 }
        from sinks in new[] { 0, 2, 9 }
        select (prefix, window, sinks);

    [Test]
    public void AQuerySeesWhatIsInOrderAndNearOrASink()
    {
        foreach ((int prefix, int window, int sinks) in Rules)
        {
            var rule = new VisibleRule(prefix, window, sinks);
            foreach ((int t, int j) in Pairs(0))
            {
                Assert.That(rule.Sees(t, j), Is.EqualTo(Sees(prefix, window, sinks, t, j)), $"prefix {prefix}, window {window}, sinks {sinks}: {t} sees {j}");
            }
        }
    }

    [Test]
    public void TheBoundsAreTheRuleSolvedForKeyAndQuery()
    {
        foreach ((int prefix, int window, int sinks) in Rules)
        {
            var rule = new VisibleRule(prefix, window, sinks);
            foreach ((int t, int j) in Pairs(-3))
            {
                string what = $"prefix {prefix}, window {window}, sinks {sinks}: {t} sees {j}";
                bool expected = Sees(prefix, window, sinks, t, j);
                Assert.That(j < rule.SinkEnd(t) || (j >= rule.Start(t) && j < rule.End(t)), Is.EqualTo(expected), what);
                Assert.That(t >= rule.QueryStart(j) && t < rule.QueryEnd(j), Is.EqualTo(expected), what);
            }

            for (int i = 0; i < Keys; i++)
            {
                Assert.That(rule.Start(i + 1), Is.GreaterThanOrEqualTo(rule.Start(i)));
                Assert.That(rule.End(i + 1), Is.GreaterThanOrEqualTo(rule.End(i)));
                Assert.That(rule.SinkEnd(i + 1), Is.GreaterThanOrEqualTo(rule.SinkEnd(i)));
                Assert.That(rule.QueryStart(i + 1), Is.GreaterThanOrEqualTo(rule.QueryStart(i)));
            }
        }
    }

    [Test]
    public void PairsAreCountedInClosedForm()
    {
        foreach ((int prefix, int window, int sinks) in Rules)
        {
            var rule = new VisibleRule(prefix, window, sinks);
            foreach (int queries in new[] { 1, 4, Keys })
            {
                (int T, int J)[] pairs = [.. Pairs(Keys - queries).Where(p => Sees(prefix, window, sinks, p.T, p.J))];
                Assert.That(VisiblePairs.Count(rule, queries, Keys), Is.EqualTo(pairs.Length), $"prefix {prefix}, window {window}, sinks {sinks}, {queries} queries");
                int kept = pairs.GroupBy(p => p.T).Sum(keys => Math.Min(3, keys.Count()));
                Assert.That(VisiblePairs.Count(rule, queries, Keys, 3), prefix == 0 && window == 0 ? Is.EqualTo(kept) : Is.GreaterThanOrEqualTo(kept));
            }
        }

        Assert.That(VisiblePairs.Count(Visible.Causal.Rule(), 6, 4), Is.EqualTo(10), "queries before the first key see nothing");
        Assert.That(VisiblePairs.Count(default(Visible).Rule(), 6, 4), Is.EqualTo(24), "or everything");
    }

    [TestCase(VisibleKind.Causal, 0)]
    [TestCase(VisibleKind.Causal, 3)]
    [TestCase(VisibleKind.Full, 0)]
    [TestCase(VisibleKind.Full, 3)]
    [TestCase(VisibleKind.Prefix, 0)]
    [TestCase(VisibleKind.Prefix, 4)]
    public void PairsOfDataAreCountedWhereTheHostCanReadIt(VisibleKind kind, int window)
    {
        const int Batch = 2, Heads = 2, QuerySize = 4, KeySize = 3, Listed = 2;
        int rows = (Keys + QuerySize - 1) / QuerySize;
        int[] prefixes = [5, 2], documents = [.. Enumerable.Range(0, Batch * Keys).Select(i => i % Keys / 4)];
        int[] lists = [.. Enumerable.Range(0, Batch * Heads * rows).SelectMany(i => new[] { i % 3, 3 })], counts = [.. Enumerable.Range(0, Batch * Heads * rows).Select(i => i % 3)];
        using Numbers of = new();
        Visible plain = new() { Kind = kind, Window = window, Sinks = window > 0 ? 1 : 0, Prefixes = kind == VisibleKind.Prefix ? of.View(prefixes) : default };
        BlockTable table = new() { Lists = of.View(lists, Batch, Heads, rows, Listed), Counts = of.View(counts), QuerySize = QuerySize, KeySize = KeySize };
        int PrefixOf(int b) => kind switch { VisibleKind.Full => Keys, VisibleKind.Causal => 0, _ => prefixes[b] };
        foreach (int queries in new[] { Keys, 4 })
        {
            Assert.That(Count(plain), Is.EqualTo(Expected((_, _, _, _) => true)), "prefixes");
            Assert.That(Count(plain with { Documents = of.View(documents) }), Is.EqualTo(Expected((b, _, t, j) => documents[(b * Keys) + t] == documents[(b * Keys) + j])), "packed documents");

            long all = Count(plain);
            Assert.That(Count(plain with { Documents = of.View([.. documents.Reverse()]) }), Is.EqualTo(all), "documents that are not packed, as if there were none");
            if (queries == Keys)
            {
                Assert.That(Count(plain with { Blocks = table }), Is.EqualTo(Expected((b, h, t, j) =>
                {
                    int row = (((b * Heads) + h) * rows) + (t / QuerySize);
                    return lists[(row * Listed)..((row * Listed) + counts[row])].Contains(j / KeySize);
                })), "blocks");
            }

            // Memory of a device is not looked at: as if prefixes were whole, documents one and lists full.
            Visible elsewhere = new()
            {
                Kind = kind,
                Prefixes = kind == VisibleKind.Prefix ? View.OfShape(Layout.Of(Batch), DType.Int32) : default,
                Documents = View.OfShape(Layout.Of(Batch, Keys), DType.Int32),
            };
            Assert.That(Count(elsewhere), Is.EqualTo(Batch * Heads * VisiblePairs.Count(new VisibleRule(kind == VisibleKind.Causal ? 0 : Keys, 0, 0), queries, Keys)));
            elsewhere = elsewhere with { Blocks = table with { Lists = View.OfShape(Layout.Of(Batch, Heads, rows, Listed), DType.Int32) } };
            Assert.That(Count(elsewhere), Is.EqualTo(Math.Min(Batch * Heads * queries * Listed * KeySize, Count(elsewhere with { Blocks = default }))));

            int kept = Heads * Enumerable.Range(0, Batch).Sum(b => Pairs(Keys - queries).Where(p => Sees(PrefixOf(b), window, plain.Sinks, p.T, p.J)).GroupBy(p => p.T).Sum(keys => Math.Min(3, keys.Count())));
            Assert.That(VisiblePairs.Count(plain, Batch, Heads, queries, Keys, 3), Is.InRange(kept, Count(plain)), "kept");

            long Count(in Visible visible) => VisiblePairs.Count(visible, Batch, Heads, queries, Keys);

            long Expected(Func<int, int, int, int, bool> isSeen) => (from b in Enumerable.Range(0, Batch)
                                                                     from h in Enumerable.Range(0, Heads)
                                                                     from p in Pairs(Keys - queries)
                                                                     where Sees(PrefixOf(b), window, plain.Sinks, p.T, p.J) && isSeen(b, h, p.T, p.J)
                                                                     select p).LongCount();
        }
    }

    private static bool Sees(int prefix, int window, int sinks, int t, int j)
        => (j <= t || j < prefix) && (window == 0 || Math.Abs(t - j) < window || j < sinks);

    private static IEnumerable<(int T, int J)> Pairs(int first)
        => from t in Enumerable.Range(first, Keys - first) from j in Enumerable.Range(0, Keys) select (t, j);

    /// <summary>Integers in memory that the host can read.</summary>
    private sealed class Numbers : IDisposable
    {
        private readonly List<NativeBuffer> _buffers = [];

        public View View(int[] values, params int[] shape)
        {
            var buffer = new NativeBuffer(values.Length * sizeof(int));
            _buffers.Add(buffer);
            values.CopyTo(buffer.Span<int>());
            return new View(buffer, 0, shape.Length == 0 ? Layout.Of(values.Length) : Layout.Of(shape), DType.Int32);
        }

        public void Dispose() => _buffers.ForEach(b => b.Dispose());
    }
}
