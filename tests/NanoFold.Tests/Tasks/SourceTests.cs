using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;

namespace NanoFold.Tests.Tasks;

/// <summary>Sources whose entropy is known: that what they draw is of the probabilities that they claim.</summary>
public sealed class SourceTests
{
    private static IEnumerable<TestCaseData> Sources =>
    [
        new TestCaseData(new MarkovSource(3, 1, 2, seed: 1), 4).SetArgDisplayNames("markov of order 1"),
        new TestCaseData(new MarkovSource(2, 3, 1.5, seed: 2), 6).SetArgDisplayNames("markov of order 3"),
        new TestCaseData(new HiddenMarkovSource(3, 2, 2, seed: 3), 4).SetArgDisplayNames("hidden-markov"),
        new TestCaseData(new ShiftRegister(4), 6).SetArgDisplayNames("pseudo-random"),
        new TestCaseData(new ShiftRegister(5), 4).SetArgDisplayNames("pseudo-random, shorter than the register"),
    ];

    /// <summary>The chain rule: what is claimed of the symbols after the first sums up to 1 for each first one, and is how often they come.</summary>
    [TestCaseSource(nameof(Sources))]
    public void SequencesComeAsOftenAsClaimed(object of, int length)
    {
        var source = (Source)of;
        const int Count = 40_000;
        int all = (int)Math.Pow(source.Symbols, length), tail = all / source.Symbols;
        double[] claimed = [.. Enumerable.Range(0, all).Select(number => Math.Exp(-source.Nats(Digits(number, source.Symbols, length))))];
        for (int first = 0; first < source.Symbols; first++)
        {
            Assert.That(claimed[(first * tail)..((first + 1) * tail)].Sum(), Is.EqualTo(1).Within(1e-9));
        }

        double[] counts = new double[all];
        int[] symbols = new int[length];
        for (int row = 0; row < Count; row++)
        {
            var draws = new RowDraws(7, RowKey.At(TaskSplit.Validation, row));
            source.Draw(ref draws, symbols);
            counts[symbols.Aggregate(0, (number, symbol) => (number * source.Symbols) + symbol)]++;
        }

        double squares = 0, freedom = 0;
        for (int number = 0; number < all; number++)
        {
            double expected = claimed[number] * counts[(number / tail * tail)..((number / tail * tail) + tail)].Sum();
            if (expected < 1e-6)
            {
                Assert.That(counts[number], Is.Zero);
                continue;
            }

            // Rare ones have no normal distribution.
            squares += expected > 5 ? (counts[number] - expected) * (counts[number] - expected) / expected : 0;
            freedom += expected > 5 ? 1 : 0;
        }

        // χ² of so many degrees of freedom is within five of its standard deviations.
        Assert.That(squares, Is.LessThan(freedom + (5 * Math.Sqrt(2 * freedom))));
    }

    [Test]
    public void TheEntropyRateIsTheMeanLengthOfACode()
    {
        var source = new MarkovSource(8, 2, 2, seed: 1);
        int[] symbols = new int[100_001];
        var draws = new RowDraws(7, RowKey.At(TaskSplit.Validation, 1));
        source.Draw(ref draws, symbols);
        Assert.That(source.Nats(symbols) / 100_000, Is.EqualTo(source.EntropyRate).Within(0.01));
        Assert.That(new MarkovSource(8, 1, spread: 0, seed: 1).EntropyRate, Is.EqualTo(Math.Log(8)).Within(1e-12), "all alike");
    }

    /// <summary>So that none takes long to be made.</summary>
    [TestCase(1, true)]
    [TestCase(100_000_000, false)]
    public void LargeTablesGetFewerSteps(long entries, bool settles)
    {
        int steps = 0;
        (double[] met, bool isSettled) = Source.Stationary(2, entries, (now, next) =>
        {
            (next[0], next[1]) = ((0.9 * now[0]) + (0.3 * now[1]), (0.1 * now[0]) + (0.7 * now[1]));
            steps++;
        });
        Assert.That(isSettled, Is.EqualTo(settles));
        Assert.That(met[0], Is.EqualTo(0.75).Within(settles ? 1e-12 : 0.06), "0.9 p + 0.3 (1 − p) = p");
        Assert.That(steps, settles ? Is.InRange(40, 80) : Is.EqualTo(3));
    }

    [Test]
    public void ARegisterMeetsAllItsStates()
    {
        foreach (int length in ShiftRegister.Lengths.Where(length => length <= 11))
        {
            int[] bits = new int[(1 << length) - 1 + length];
            var draws = new RowDraws(7, RowKey.At(TaskSplit.Validation, length));
            new ShiftRegister(length).Draw(ref draws, bits);
            IEnumerable<int> states = Enumerable.Range(0, (1 << length) - 1).Select(t => bits[t..(t + length)].Aggregate(0, (state, bit) => (state << 1) | bit));
            Assert.That(states.Distinct().Count(), Is.EqualTo((1 << length) - 1), $"{length} bits");
        }
    }

    [Test]
    public void TheLeastLossIsThatOfTheRowsThatAreHeldBack()
    {
        // 3 bits of 15 are chance: given the first, ln(4/7 …) depends on it; on average H of 7 states without that of one bit.
        var config = new PseudoRandomConfig { Register = 3, ValidationRows = 4000 };
        using LearningTask task = config.Open(new TaskContext { Model = config.Fit(new ModelConfig { Context = 15 }), Seed = 1 });
        double firstBit = -((4.0 / 7 * Math.Log(4.0 / 7)) + (3.0 / 7 * Math.Log(3.0 / 7)));
        Assert.That(task.Best()[0].Value, Is.EqualTo((Math.Log(7) - firstBit) / 15).Within(0.001));
        Assert.That(task.Best()[1], Is.EqualTo(new Score("excess", 0)));
        using LearningTask none = (config with { ValidationRows = 0 }).Open(new TaskContext { Model = config.Fit(new ModelConfig { Context = 15 }), Seed = 1 });
        Assert.That(none.Best(), Is.Empty, "nothing is held back");
    }

    /// <summary>Settling of a table, and the forward algorithm on all rows that are held back.</summary>
    [Test]
    public void WhatTakesLongCanBeEndedAndIsToldOnce()
    {
        foreach (SourceTaskConfig config in new SourceTaskConfig[] { MarkovConfig.Tiny, HiddenMarkovConfig.Tiny })
        {
            using var ended = new CancellationTokenSource();
            TaskContext context = new() { Model = config.Fit(new ModelConfig { Context = 15 }), Seed = 1, Cancel = ended.Token };
            using LearningTask task = config.Open(context);
            Assert.That(task.Best(), Is.Not.Empty);
            ended.Cancel();
            Assert.That(task.Best, Throws.InstanceOf<OperationCanceledException>());
            Assert.That(() => config.Open(context), Throws.InstanceOf<OperationCanceledException>());
        }

        List<string> told = [];
        var work = new LongWork(new TaskContext { Model = new ModelConfig(), Seed = 1, Note = told.Add }, "markov: a table", patience: 0);
        work.Look();
        work.Look();
        Assert.That(told, Is.EqualTo(new[] { "markov: a table" }));
    }

    [Test]
    public void WhatDoesNotSuitIsToldInALine()
    {
        var model = new ModelConfig { Context = 8 };
        Assert.That(RegressionTests.Problem(new PseudoRandomConfig { Register = 8 }, model), Does.StartWith("task.register: 8 bits have no two places that meet all states; known: 2, 3, 4, 5, 6, 7, 9"));
        Assert.That(RegressionTests.Problem(new MarkovConfig { Symbols = 1024, Order = 2 }, model), Is.EqualTo("task.order: 1024^(2 + 1) entries of task.symbols = 1024 are more than the 1048576 that a table may have"));
        Assert.That(RegressionTests.Problem(new HiddenMarkovConfig(), model with { Vocab = 4 }), Is.EqualTo("model.vocab: 4 is less than the 8 symbols of task.symbols = 8; leave it out"));
        Assert.That(RegressionTests.Problem(new WordChainConfig(), model with { Visibility = Engine.Modules.VisibilityKind.Full }), Is.EqualTo("model.visibility: \"full\" shows tokens what they are to predict; use causal"));
    }

    private static int[] Digits(int number, int symbols, int length)
        => [.. Enumerable.Range(1, length).Select(place => number / (int)Math.Pow(symbols, length - place) % symbols)];
}
