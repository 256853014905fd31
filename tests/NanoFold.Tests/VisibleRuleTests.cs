using NanoFold.Kernels.Calls.Attention;

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

    private static bool Sees(int prefix, int window, int sinks, int t, int j)
        => (j <= t || j < prefix) && (window == 0 || Math.Abs(t - j) < window || j < sinks);

    private static IEnumerable<(int T, int J)> Pairs(int first)
        => from t in Enumerable.Range(first, Keys - first) from j in Enumerable.Range(0, Keys) select (t, j);
}
