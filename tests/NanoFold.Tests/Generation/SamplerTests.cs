using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Generation;

namespace NanoFold.Tests.Generation;

public class SamplerTests
{
    private static readonly GenerationConfig s_plain = new() { Temperature = 1 };

    // 50 %, 25 %, 15 %, 10 %, out of order.
    private static readonly float[] s_logits = [.. new[] { 0.15, 0.5, 0.1, 0.25 }.Select(p => (float)Math.Log(p))];

    private static IEnumerable<TestCaseData> Sets()
    {
        yield return Case("all", s_plain, 0, 1, 2, 3);
        yield return Case("top-k 2", s_plain with { TopK = 2 }, 1, 3);
        yield return Case("top-k as many as there are", s_plain with { TopK = 4 }, 0, 1, 2, 3);
        yield return Case("top-k more than there are", s_plain with { TopK = int.MaxValue }, 0, 1, 2, 3);
        yield return Case("top-p below the first", s_plain with { TopP = 0.4 }, 1);
        yield return Case("top-p at the first", s_plain with { TopP = 0.5 }, 1);
        yield return Case("top-p beyond the first", s_plain with { TopP = 0.51 }, 1, 3);
        yield return Case("top-p at the second", s_plain with { TopP = 0.75 }, 1, 3);
        yield return Case("top-p at the third", s_plain with { TopP = 0.9 }, 0, 1, 3);
        yield return Case("top-p beyond the third", s_plain with { TopP = 0.95 }, 0, 1, 2, 3);
        yield return Case("top-p tiny", s_plain with { TopP = 1e-300 }, 1);
        yield return Case("min-p 1", s_plain with { MinP = 1 }, 1);
        yield return Case("min-p at the second", s_plain with { MinP = 0.5 }, 1, 3);
        yield return Case("min-p above the second", s_plain with { MinP = 0.51 }, 1);
        yield return Case("min-p at the third", s_plain with { MinP = 0.3 }, 0, 1, 3);
        yield return Case("top-p of what top-k left", s_plain with { TopK = 2, TopP = 0.66 }, 1);
        yield return Case("min-p of what top-p left", s_plain with { TopP = 0.9, MinP = 0.4 }, 1, 3);
        yield return Case("temperature comes before top-p", s_plain with { Temperature = 0.5, TopP = 0.7 }, 1);
        yield return Case("temperature comes before min-p", s_plain with { Temperature = 2, MinP = 0.7 }, 1, 3);

        static TestCaseData Case(string name, GenerationConfig options, params int[] expected) =>
            new TestCaseData(options, expected).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Sets))]
    public void KeepsTheRightSet(GenerationConfig options, int[] expected) =>
        Assert.That(Draws(options, s_logits, 2000).Distinct().Order(), Is.EqualTo(expected));

    [Test]
    public void AmongEqualsTheSmallerIdsAreKept()
    {
        float[] equal = [-0f, 0f, -0f, 0f];
        Assert.Multiple(() =>
        {
            Assert.That(Draws(s_plain with { TopK = 2 }, equal, 500).Distinct().Order(), Is.EqualTo(new[] { 0, 1 }), "top-k");
            Assert.That(Draws(s_plain with { TopP = 0.5 }, equal, 500).Distinct().Order(), Is.EqualTo(new[] { 0, 1 }), "top-p");
            Assert.That(Draws(s_plain with { TopK = 1 }, equal, 50).Distinct(), Is.EqualTo(new[] { 0 }), "top-k 1");
            Assert.That(Draws(s_plain with { Temperature = 0 }, equal, 5).Distinct(), Is.EqualTo(new[] { 0 }), "greedy");
            Assert.That(Draws(s_plain with { MinP = 1 }, equal, 500).Distinct().Order(), Is.EqualTo(new[] { 0, 1, 2, 3 }), "min-p has no count");
        });
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(0.5)]
    public void FrequenciesFollowTheProbabilities(double temperature)
    {
        const int Count = 40000;
        double[] weights = [.. s_logits.Select(l => Math.Exp(l / temperature))];
        int[] draws = Draws(s_plain with { Temperature = temperature }, s_logits, Count);
        for (int id = 0; id < 4; id++)
        {
            double p = weights[id] / weights.Sum();
            Assert.That(draws.Count(d => d == id) / (double)Count, Is.EqualTo(p).Within(4 * Math.Sqrt(p * (1 - p) / Count)), $"token {id}");
        }
    }

    [Test]
    public void FrequenciesOfManyFollowTheProbabilities([Values(1, 0.9)] double topP, [Values(0, 30)] int topK)
    {
        const int Count = 60000;
        var random = new Random(6);
        float[] logits = [.. Enumerable.Range(0, 53).Select(_ => (float)(random.NextDouble() * 4))];
        (logits[7], logits[52]) = (float.NegativeInfinity, 4.5f);
        double[] weights = [.. logits.Select(l => Math.Exp(l / 0.8))];
        int[] order = [.. Enumerable.Range(0, 53).OrderByDescending(i => logits[i])];
        double[] kept = new double[53];
        double total = order.Take(topK == 0 ? 53 : topK).Sum(i => weights[i]), sum = 0;
        foreach (int i in order.Take(topK == 0 ? 53 : topK).TakeWhile(_ => sum < topP * total * (1 - 1e-9)))
        {
            kept[i] = weights[i];
            sum += weights[i];
        }

        int[] draws = Draws(s_plain with { Temperature = 0.8, TopP = topP, TopK = topK }, logits, Count), counts = new int[53];
        draws.ToList().ForEach(draw => counts[draw]++);
        for (int id = 0; id < 53; id++)
        {
            double p = kept[id] / sum;
            Assert.That(counts[id] / (double)Count, Is.EqualTo(p).Within(5 * Math.Sqrt(p * (1 - p) / Count)), $"token {id}");
        }
    }

    [TestCase(1e-3)]
    [TestCase(1e-300)]
    [TestCase(double.Epsilon)]
    public void AlmostNoTemperatureIsGreedy(double temperature)
    {
        var random = new Random(3);
        for (int i = 0; i < 50; i++)
        {
            float[] logits = [.. Enumerable.Range(0, 300).Select(_ => (float)Math.Round(random.NextDouble() * 40, 1))];
            logits[random.Next(300)] = 41;
            Assert.That(Draws(s_plain with { Temperature = temperature }, logits, 3), Is.All.EqualTo(Array.IndexOf(logits, 41f)));
        }
    }

    [Test]
    public void TopKOfManyEqualsSorting()
    {
        var random = new Random(4);
        float[] logits = [.. Enumerable.Range(0, 1000).Select(_ => (float)random.Next(-20, 20) / 8)];
        int[] expected = [.. Enumerable.Range(0, 1000).OrderByDescending(i => logits[i]).ThenBy(i => i).Take(37)];
        Assert.That(Draws(s_plain with { TopK = 37, Temperature = 5 }, logits, 4000).Distinct(), Is.EquivalentTo(expected));
    }

    [Test]
    public void NucleusOfManyEqualsSorting()
    {
        var random = new Random(4);
        float[] logits = [.. Enumerable.Range(0, 60).Select(_ => (float)(random.NextDouble() * 3))];
        double total = logits.Sum(l => Math.Exp(l)), sum = 0;
        List<int> expected = [];
        foreach (int id in Enumerable.Range(0, 60).OrderByDescending(i => logits[i]))
        {
            expected.Add(id);
            sum += Math.Exp(logits[id]);
            if (sum >= 0.7 * total)
            {
                break;
            }
        }

        Assert.That(Draws(s_plain with { TopP = 0.7 }, logits, 5000).Distinct(), Is.EquivalentTo(expected));
    }

    [Test]
    public void ImpossibleTokensAreNeverDrawn()
    {
        float[] logits = [float.NegativeInfinity, 0, float.NegativeInfinity, float.MinValue];
        Assert.That(Draws(s_plain with { Temperature = 100 }, logits, 300), Is.All.EqualTo(1));
    }

    [Test]
    public void LargeLogitsStayFinite() =>
        Assert.That(Draws(s_plain, [1e38f, 3e38f, -3e38f], 50), Is.All.EqualTo(1));

    [TestCase(new[] { 2f, 1.5f, -1f }, new[] { 0 }, 2.0, ExpectedResult = 1, TestName = "Penalty divides positive logits")]
    [TestCase(new[] { -1f, -1.5f, -9f }, new[] { 0 }, 2.0, ExpectedResult = 1, TestName = "Penalty multiplies negative logits")]
    [TestCase(new[] { 2f, 0.9f, -1f }, new[] { 0, 0, 0 }, 2.0, ExpectedResult = 0, TestName = "Penalty comes once for each token")]
    [TestCase(new[] { 2f, 1.9f, 1.8f }, new[] { 0, 1 }, 1.2, ExpectedResult = 2, TestName = "Penalty holds for every token that is there")]
    [TestCase(new[] { 1f, 1.5f, -1f }, new[] { 0 }, 0.5, ExpectedResult = 0, TestName = "Penalty below 1 favours repetition")]
    [TestCase(new[] { 2f, 1.5f, -1f }, new[] { 0 }, 1.0, ExpectedResult = 0, TestName = "Penalty 1 does nothing")]
    public int Penalty(float[] logits, int[] tokens, double penalty) =>
        new Sampler(s_plain with { Temperature = 0, RepetitionPenalty = penalty }, 3, 0).Next(logits, tokens, 0);

    [TestCase(true, ExpectedResult = 2)]
    [TestCase(false, ExpectedResult = 0)]
    public int ThePenaltyCanSpareThePrompt(bool penalizesPrompt)
    {
        var sampler = new Sampler(s_plain with { Temperature = 0, RepetitionPenalty = 2, PenalizePrompt = penalizesPrompt }, 3, 0);
        // Tokens 0 and 1 are there, 1 since it was written.
        return sampler.Next([2f, 3f, 1.6f], [0, 1], 0, promptTokens: 1);
    }

    [Test]
    public void PenaltiesDoNotLastToTheNextDraw()
    {
        var sampler = new Sampler(s_plain with { Temperature = 0, RepetitionPenalty = 2 }, 2, 0);
        Assert.Multiple(() =>
        {
            Assert.That(sampler.Next([2f, 1.5f], [0], 0), Is.EqualTo(1));
            Assert.That(sampler.Next([2f, 1.5f], [], 0), Is.EqualTo(0));
            Assert.That(sampler.Next([2f, 1.5f], [0, 1], 0), Is.EqualTo(0));
        });
    }

    [Test]
    public void DrawsAreAFunctionOfSeedNumberAndPosition()
    {
        float[] logits = new float[1000];
        int at = Draw(1, 2, 3);
        Assert.Multiple(() =>
        {
            Assert.That(Draw(1, 2, 3), Is.EqualTo(at));
            Assert.That(new[] { Draw(2, 2, 3), Draw(1, 3, 3), Draw(1, 2, 4) }, Has.None.EqualTo(at));
        });

        int Draw(ulong seed, int number, int position)
        {
            var sampler = new Sampler(s_plain, 1000, seed);
            sampler.Next(logits, [1], number: 9);
            return sampler.Next(logits, new int[position], number);
        }
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void LogitsThatAreNoNumbersAreAnError(float logit)
    {
        Assert.That(() => Draws(s_plain, [1, logit, 2], 1), Throws.TypeOf<UserException>().With.Message.Contains("token 1"));
        float[] many = new float[100];
        (many[31], many[33]) = (logit, float.NaN);
        Assert.That(() => Draws(s_plain, many, 1), Throws.TypeOf<UserException>().With.Message.Contains("token 31"));
    }

    [Test]
    public void TheLikeliestIsTheFirstOfEquals([Values(1, 15, 16, 40, 99)] int place)
    {
        float[] logits = new float[101];
        Array.Fill(logits, -1);
        (logits[place], logits[100]) = (0f, -0f);
        Assert.That(new Sampler(s_plain with { Temperature = 0 }, 101, 1).Next(logits, [], 0), Is.EqualTo(place));
    }

    [Test]
    public void LogitsWithoutAnyPossibleTokenAreAnError() =>
        Assert.That(() => Draws(s_plain, [float.NegativeInfinity, float.NegativeInfinity], 1), Throws.TypeOf<UserException>());

    private static IEnumerable<TestCaseData> Invalid()
    {
        yield return new TestCaseData(s_plain with { Temperature = -0.1 }, "generation.temperature: expected a number of at least 0, got -0.1");
        yield return new TestCaseData(s_plain with { Temperature = double.NaN }, "generation.temperature");
        yield return new TestCaseData(s_plain with { Temperature = double.PositiveInfinity }, "generation.temperature");
        yield return new TestCaseData(s_plain with { TopK = -1 }, "generation.topK: expected a number of at least 0");
        yield return new TestCaseData(s_plain with { TopP = 0 }, "generation.topP: expected a number of more than 0 and at most 1, got 0");
        yield return new TestCaseData(s_plain with { TopP = 1.1 }, "generation.topP");
        yield return new TestCaseData(s_plain with { MinP = -1 }, "generation.minP: expected a number of at least 0 and at most 1, got -1");
        yield return new TestCaseData(s_plain with { MinP = 2 }, "generation.minP");
        yield return new TestCaseData(s_plain with { RepetitionPenalty = 0 }, "generation.repetitionPenalty: expected a number of more than 0, got 0");
        yield return new TestCaseData(s_plain with { MaxTokens = 0 }, "generation.maxTokens: expected a number of at least 1");
        yield return new TestCaseData(s_plain with { Stop = ["a", ""] }, "generation.stop.1");
    }

    [TestCaseSource(nameof(Invalid))]
    public void InvalidOptionsAreNamedWithTheirRange(GenerationConfig options, string message) =>
        Assert.That(() => new Sampler(options, 4, 0), Throws.InstanceOf<UserException>().With.Message.Contains(message));

    [Test]
    public void AllInvalidOptionsAreNamedAtOnce() =>
        Assert.That(
            () => new Sampler(s_plain with { TopK = -1, MinP = 3 }, 4, 0),
            Throws.TypeOf<ConfigException>().With.Message.Contains("topK").And.Message.Contains("minP"));

    [Test]
    public void WrongNumberOfLogitsIsAnError() =>
        Assert.That(() => new Sampler(s_plain, 4, 0).Next(new float[3], [], 0), Throws.ArgumentException);

    private static int[] Draws(GenerationConfig options, float[] logits, int count)
    {
        var sampler = new Sampler(options, logits.Length, seed: 11);
        var tokens = new int[count];
        Array.Fill(tokens, logits.Length);
        return [.. Enumerable.Range(0, count).Select(i => sampler.Next(logits, tokens.AsSpan(0, i), 0))];
    }
}
