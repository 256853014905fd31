using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Training;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>Chains of words, and pass keys.</summary>
public sealed class WordTaskTests : EngineTests
{
    private const int Time = 40, Rows = 200;

    [Test]
    public void EveryWordHasSomeThatMayFollow()
    {
        IReadOnlyList<string> words = WordList.Words;
        Assert.That(words, Is.Ordered.Using((IComparer<string>)StringComparer.Ordinal).And.Unique);
        Assert.That(words.Select(word => words.Count(next => next[0] == word[^1])), Is.All.GreaterThanOrEqualTo(2));
        Assert.That(words.Select(word => WordList.BeginningWith(word[0])), Is.EqualTo(words.Select(word => (words.TakeWhile(w => w[0] != word[0]).Count(), words.Count(w => w[0] == word[0])))));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void EachWordBeginsWithTheLastLetterOfTheOneBefore(bool letters)
    {
        foreach (string row in Shown(new WordChainConfig { Letters = letters }))
        {
            string[] words = row.Split(' ');
            string[] whole = letters ? words[..^1] : words;
            Assert.That(whole.Distinct(), Is.SubsetOf(WordList.Words));
            Assert.That(words.Zip(words.Skip(1)).Where(pair => pair.Second.Length > 0 && pair.First[^1] != pair.Second[0]), Is.Empty);
        }
    }

    /// <summary>What the source claims of letters is that of words: a whole word is one of those that begin as it does.</summary>
    [Test]
    public void LettersOfAWordTogetherAreAsLikelyAsTheWord()
    {
        var letters = new LetterChain();
        int[] Of(string text) => [.. text.Select(letter => letter == ' ' ? 26 : letter - 'a')];
        int Count(char first) => WordList.Words.Count(word => word[0] == first);
        Assert.That(letters.Nats(Of("table east ")), Is.EqualTo(Math.Log(Count('t')) + Math.Log(Count('e'))).Within(1e-12));
        Assert.That(letters.Nats(Of("table e")), Is.EqualTo(Math.Log(Count('t'))).Within(1e-12), "the letter after a space is no surprise");
        Assert.That(letters.Nats(Of("ta")), Is.EqualTo(Math.Log((double)Count('t') / WordList.Words.Count(word => word.StartsWith("ta", StringComparison.Ordinal)))).Within(1e-12));
        Assert.That(new WholeWordChain().Nats([WordNumber("table"), WordNumber("east"), WordNumber("tree")]), Is.EqualTo(Math.Log(Count('e')) + Math.Log(Count('t'))).Within(1e-12));

        static int WordNumber(string word) => WordList.Words.ToList().IndexOf(word);
    }

    [TestCase(false, "bigram")]
    [TestCase(true, "trigram")]
    public void CountsOfTokensFindTheRule(bool letters, string name)
    {
        using LearningTask task = Open(new WordChainConfig { Letters = letters, ValidationRows = 20 });
        Baseline counted = task.Baselines().Single();
        double Of(string score) => counted.Scores.Single(s => s.Name == score).Value;
        Assert.That((counted.Name, Of("accuracy")), Is.EqualTo((name, 1.0)));
        Assert.That(Of("loss"), Is.EqualTo(task.Best()[0].Value + Of("excess")).Within(1e-6));
        Assert.That(Of("excess"), letters ? Is.InRange(0.2, 0.6) : Is.InRange(0, 0.02), "two letters do not tell the word");
    }

    [Test]
    public void CountsAreMixedAsWittenAndBellSay()
    {
        // a b a b c, of three symbols: after b once a, once c.
        var counts = new NGramCounts(2, 3);
        counts.Count([0, 1, 0, 1, 2]);
        float[] losses = new float[3];
        int[] predicted = new int[3];
        counts.Predict([1, 0, 2], [2, 1, -1], losses, predicted);
        double c = (1 + (3.0 / 3)) / (4 + 3), b = (2 + (3.0 / 3)) / (4 + 3);
        Assert.That(losses, Is.EqualTo(new[] { -Math.Log((1 + (2 * c)) / 4), -Math.Log((2 + (1 * b)) / 3), 0 }).Within(1e-6));
        Assert.That(predicted[1..], Is.EqualTo(new[] { 1, 1 }), "after c nothing was seen: the most frequent of all");
    }

    [TestCase(5)]
    [TestCase(1)]
    public void AKeyIsAskedForOnceFromAllDistances(int digits)
    {
        using LearningTask task = Open(new PasskeyConfig { Digits = digits });
        BatchRows batch = Fill(task);
        var distances = new List<int>();
        for (int row = 0; row < Rows; row++)
        {
            int[] tokens = batch.Row(row).Integers(BatchField.Tokens).ToArray(), targets = batch.Row(row).Integers(BatchField.Targets).ToArray();
            int at = Array.IndexOf(tokens, 10), question = Array.IndexOf(tokens, 11);
            Assert.That((question, tokens.Count(token => token is 10 or 11)), Is.EqualTo((Time - digits, 2)));
            Assert.That(targets[question..], Is.EqualTo(tokens[(at + 1)..(at + 1 + digits)]).And.All.InRange(0, 9));
            Assert.That(tokens[(question + 1)..], Is.EqualTo(targets[question..^1]), "the digits that were asked for are read");
            Assert.That(targets[..question], Is.All.EqualTo(-1));
            Assert.That(batch.Row(row).Integers(BatchField.Groups)[question..].ToArray(), Is.All.EqualTo(question - at));
            distances.Add(question - at);
        }

        Assert.That(distances, Is.All.InRange(digits + 1, Time - digits));
        Assert.That(distances.Average(), Is.EqualTo((Time + 1) / 2.0).Within(3));
    }

    [Test]
    public void KeysAreScoredByHowFarBackTheyAre()
    {
        var config = new PasskeyConfig { Digits = 1, ValidationRows = Rows };
        using LearningTask task = Open(config);
        using var model = new Transformer(config.Fit(new ModelConfig { Layers = 1, Width = 8, Heads = 2, Context = Time, Initialization = InitializationKind.Zero }), Backend());
        using var evaluator = new Evaluator(model, task, new BatchShape(7, Time));
        // A head of zeros finds every key to be 0.
        BatchRows batch = Fill(task);
        (int Distance, bool Right)[] keys = [.. Enumerable.Range(0, Rows).Select(row => (batch.Row(row).Integers(BatchField.Groups)[^1], batch.Row(row).Integers(BatchField.Targets)[^1] == 0))];
        double Share(int least, int most) => keys.Where(key => key.Distance > least && key.Distance <= most).Average(key => key.Right ? 1.0 : 0);
        Score[] expected = [new("accuracy", Share(0, 40)), new("keys", Share(0, 40)), new("accuracyTo9", Share(0, 9)), new("accuracyTo19", Share(9, 19)), new("accuracyTo29", Share(19, 29)), new("accuracyTo39", Share(29, 39))];
        Assert.That(evaluator.Run().Scores!.Select(score => (score.Name, Math.Round(score.Value, 9))), Is.EqualTo(expected.Select(score => (score.Name, Math.Round(score.Value, 9)))));
        Assert.That(RegressionTests.Problem(new PasskeyConfig(), new ModelConfig { Context = 10 }), Is.EqualTo("model.context: 10 is less than the 11 places that task.digits = 5 takes"));
    }

    private static LearningTask Open(GeneratedTaskConfig config) => config.Open(new TaskContext { Model = config.Fit(new ModelConfig { Context = Time }), Seed = 5 });

    private static BatchRows Fill(LearningTask task)
    {
        var batch = new BatchRows(task.Fields(Time), Rows);
        batch.Fill(task, TaskSplit.Validation, 0, Rows, Rows);
        return batch;
    }

    private static IEnumerable<string> Shown(GeneratedTaskConfig config)
    {
        using LearningTask task = Open(config);
        BatchRows batch = Fill(task);
        return [.. Enumerable.Range(0, Rows).Select(row => task.Show(batch.Row(row)).Single())];
    }
}
