using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Tasks;

/// <summary>The small language: its rules, its labels, what is known of it, and pairs that break a rule.</summary>
public sealed class GrammarTests : EngineTests
{
    private const int Time = 64, Rows = 200;

    private static readonly string[] s_masculine = ["king", "boy", "uncle", "father"], s_feminine = ["queen", "girl", "aunt", "mother"];

    [Test]
    public void WordsAreDifferentAndKnowTheirForms()
    {
        var words = new GrammarWords(64, 16);
        string[] texts = [.. Enumerable.Range(0, words.Count).Select(words.Text)];
        Assert.That(texts, Is.Unique);
        string[] Forms(string word) => words.Forms(Array.IndexOf(texts, word)) is var (first, count) ? texts[first..(first + count)] : [];
        Assert.That(Forms("sees"), Is.EqualTo(new[] { "sees", "see" }));
        Assert.That(Forms("sleep"), Is.EqualTo(new[] { "sleeps", "sleep" }));
        Assert.That(Forms("herself"), Is.EqualTo(new[] { "himself", "herself", "itself", "themselves" }));
        Assert.That(Forms("they"), Is.EqualTo(new[] { "he", "she", "it", "they" }));
        Assert.That(Forms("cats"), Is.EqualTo(new[] { "cats" }));
        Assert.That(Forms(words.Text(words.Place(3))), Has.Length.EqualTo(16));
        (int Number, int Gender) Of(string word) => (words.NumberOf(Array.IndexOf(texts, word)), words.GenderOf(Array.IndexOf(texts, word)));
        Assert.That(new[] { "aunts", "lamp", "see", "sees", "himself", "itself", "they", "many", "a", "the", "old" }.Select(Of), Is.EqualTo(new[]
        {
            (1, 1), (0, 2), (1, -1), (0, -1), (0, 0), (0, 2), (1, -1), (1, -1), (0, -1), (-1, -1), (-1, -1),
        }));
    }

    /// <summary>Read again without the generator: subject, verb, what refers, facts.</summary>
    [Test]
    public void SentencesKeepTheRules()
    {
        using LearningTask task = Open(new GrammarConfig());
        var homes = new Dictionary<string, string>();
        int agreements = 0, pronouns = 0, reflexives = 0;
        List<string[]> all = Sentences(task, out List<string[]?> previous);
        for (int i = 0; i < all.Count; i++)
        {
            string[] sentence = all[i];
            if (sentence is [.., "lives", "in", var place])
            {
                Assert.That(homes.TryAdd(sentence[0], place) || homes[sentence[0]] == place, $"{sentence[0]} lives in one place");
                continue;
            }

            string subject = Subject(sentence);
            if (subject is "he" or "she" or "it" or "they" && previous[i] is { } last)
            {
                string meant = Subject(last);
                Assert.That(subject, Is.EqualTo(Reference(meant, "he", "she", "it", "they")), string.Join(' ', [.. last, ".", .. sentence]));
                pronouns++;
            }

            bool isPlural = subject == "they" || (subject is not ("he" or "she" or "it") && subject.EndsWith('s'));
            foreach (string verb in sentence.Where(IsVerb))
            {
                Assert.That(verb.EndsWith('s'), Is.EqualTo(!isPlural), string.Join(' ', sentence));
                agreements++;
            }

            if (sentence[^1].EndsWith("self", StringComparison.Ordinal) || sentence[^1] == "themselves")
            {
                Assert.That(sentence[^1], Is.EqualTo(Reference(subject, "himself", "herself", "itself", "themselves")));
                reflexives++;
            }
        }

        Assert.That(homes, Has.Count.GreaterThan(50));
        Assert.That(new[] { agreements, pronouns, reflexives }, Is.All.GreaterThan(150));
    }

    [Test]
    public void PlacesAreLabelled()
    {
        using LearningTask task = Open(new GrammarConfig());
        var batch = new BatchRows([.. task.Fields(Time), .. task.Labels.Select(label => BatchField.OfScores(label.Field, Time))], 40);
        batch.Fill(task, TaskSplit.Validation, 0, 40, 40);
        string[] words = [.. batch.Integers(BatchField.Tokens).ToArray().Select(task.Symbol)];
        string? Label(string name, int at) => batch.Integers("label." + name)[at] is var number and >= 0 ? task.Labels.Single(label => label.Name == name).Classes[number] : null;
        for (int at = 0; at < words.Length; at++)
        {
            string word = words[at];
            string? part = Label("partOfSpeech", at), role = Label("role", at), agreement = Label("agreement", at);
            Assert.That(part, Is.Not.Null, "every place has a part of speech");
            Assert.That(role is null, Is.EqualTo(part != "noun"));
            Assert.That(part == "verb", Is.EqualTo(IsVerb(word) || word == "lives"), word);
            Assert.That(Label("fact", at) is null, Is.EqualTo(word != "in"));
            Assert.That(Label("referent", at) is null, Is.EqualTo(part is not ("pronoun" or "reflexive")));
            if (role == "subject")
            {
                Assert.That(agreement, Is.EqualTo(Label("number", at)));
            }

            // From the subject up to the verb.
            if (agreement is not null && at % Time < Time - 1 && Label("agreement", at + 1) is null)
            {
                Assert.That((Label("partOfSpeech", at + 1), Label("number", at + 1)), Is.EqualTo(("verb", agreement)));
            }
        }

        Assert.That(batch.Integers("label.fact").ToArray().Where(fact => fact >= 0).Distinct().Order(), Is.EqualTo(new[] { 0, 1, 2 }));
        int[] names = [.. batch.Integers(BatchField.Tokens).ToArray().Where(token => token >= GrammarWords.FirstName && token < GrammarWords.FirstName + 64)];
        Assert.That(names.Count(name => name < GrammarWords.FirstName + 16), Is.GreaterThan(names.Length / 2), "a quarter of the names comes more often than the others together");
    }

    /// <summary>By counting: what is likely after "the" is as often as the source says.</summary>
    [Test]
    public void TheSourceKnowsHowLikelyEachWordIs()
    {
        var config = new GrammarConfig { Facts = 0.2, Modifiers = 0.5, Reflexives = 0.25, Pronouns = 0.4 };
        using LearningTask task = Open(config);
        var batch = new BatchRows(task.Fields(Time), 1000);
        batch.Fill(task, TaskSplit.Probe, 0, 1000, 1000);
        int[] tokens = batch.Integers(BatchField.Tokens).ToArray(), targets = batch.Integers(BatchField.Targets).ToArray();
        float[] nats = batch.Reals("nats").ToArray();
        Assert.That(nats, Is.All.GreaterThanOrEqualTo(0));

        // Mean of 1/p over what follows in a state is the number of words that may follow, whatever their probabilities.
        int the = Enumerable.Range(0, task.Vocab).First(token => task.Symbol(token) == "the");
        double inverse = tokens.Select((token, t) => token == the ? Math.Exp(nats[t]) : double.NaN).Where(double.IsFinite).Average();
        Assert.That(inverse, Is.EqualTo(6 + 24).Within(1));
        Assert.That(nats.Where((_, t) => task.Symbol(tokens[t]) == "in"), Is.All.Zero, "a fact is certain");
        double facts = tokens.Select((token, t) => task.Symbol(token) == "." && targets[t] >= GrammarWords.FirstName ? 1.0 : task.Symbol(token) == "." ? 0 : double.NaN).Where(double.IsFinite).Average();
        Assert.That(facts, Is.EqualTo(0.2).Within(0.01));

        Score[] best = [.. task.Best()];
        Assert.That(best.Select(score => score.Name), Is.EqualTo(new[] { "loss", "excess", "accuracy" }));
        Assert.That(best[0].Value, Is.InRange(1.6, 2.0));
        Assert.That(best.Skip(1).Select(score => score.Value), Is.EqualTo(new[] { 0.0, 1 }));
    }

    /// <summary>A model that prefers one of two forms is right where that is the right one.</summary>
    [Test]
    public void FormsAreScoredAgainstEachOther()
    {
        using LearningTask task = Open(new GrammarConfig());
        var batch = new BatchRows(task.Fields(Time), 20);
        batch.Fill(task, TaskSplit.Validation, 0, 20, 20);
        var words = new GrammarWords(64, 16);
        int[] targets = batch.Integers(BatchField.Targets).ToArray(), groups = batch.Integers(BatchField.Groups).ToArray();
        double Accuracy(Func<int, float> logit, string name)
        {
            TaskScore score = task.NewScore();
            score.Begin();
            score.Add(batch, new ScoredValues(new float[targets.Length], targets.SelectMany(_ => Enumerable.Range(0, words.Count).Select(logit)).ToArray()));
            return score.Result().Figures.Single(figure => figure.Name == name).Value;
        }

        double plural = targets.Where((_, i) => groups[i] == (int)GrammarAsked.Agreement).Average(token => (double)words.NumberOf(token));
        Assert.That(plural, Is.InRange(0.3, 0.7));
        Assert.That(Accuracy(token => words.NumberOf(token) == 1 ? 1 : 0, "agreementAccuracy"), Is.EqualTo(plural).Within(1e-12));
        Assert.That(Accuracy(token => words.NumberOf(token) == 1 ? 0 : 1, "agreementAccuracy"), Is.EqualTo(1 - plural).Within(1e-12));
        Assert.That(Accuracy(_ => 1, "accuracy"), Is.Zero, "no form is preferred");
    }

    /// <summary>A model may have more words than the language: nobody reads what it says of them.</summary>
    [Test]
    public void LogitsOfOtherWordsAreLeftOut()
    {
        GrammarConfig config = GrammarConfig.Tiny;
        using LearningTask task = Open(config);
        Backend backend = Backend();
        using var model = new Transformer(new ModelConfig { Layers = 1, Width = 8, Heads = 2, Context = Time, Vocab = 2 * config.Vocab }.Resolve(), backend);
        using var buffers = new BatchBuffers(backend, task.Evaluated(Time), 3, DType.Float32);
        using StepState state = backend.NewState();
        var tape = new Tape(backend) { State = state };
        TaskLoss loss = task.RecordLoss(tape, model, buffers.On(tape));
        Assert.That(loss.Scored[1].Layout.ToShape(), Is.EqualTo(new[] { 3, Time, config.Vocab }));
    }

    [Test]
    public void PairsDifferInOneFormOfWhichOneIsWrong()
    {
        using LearningTask task = Open(new GrammarConfig());
        IReadOnlyList<MinimalPair> pairs = task.MinimalPairs(20);
        Assert.That(pairs.GroupBy(pair => pair.Kind).Select(group => (group.Key, group.Count())), Is.EqualTo(new[]
        {
            ("agreement", 20), ("agreementAcross", 20), ("reflexive", 20), ("pronoun", 20), ("frequentFact", 20), ("middlingFact", 20), ("rareFact", 20),
        }));
        var words = new GrammarWords(64, 16);
        foreach (IGrouping<string, MinimalPair> kind in pairs.GroupBy(pair => pair.Kind))
        {
            Assert.That(kind.Select(pair => pair.Right[pair.At]).Order(), Is.EqualTo(kind.Select(pair => pair.Wrong[pair.At]).Order()), "each form is as often right as wrong");
        }

        foreach (MinimalPair pair in pairs)
        {
            Assert.That(pair.Right.Zip(pair.Wrong).Count(both => both.First != both.Second), Is.EqualTo(1));
            Assert.That(pair.Right[pair.At], Is.Not.EqualTo(pair.Wrong[pair.At]));
            Assert.That(words.Forms(pair.Right[pair.At]), Is.EqualTo(words.Forms(pair.Wrong[pair.At])));
            Assert.That(pair.Right.Select(task.Symbol).Count(word => word == "."), Is.EqualTo(pair.Kind == "pronoun" ? 3 : 2));
        }

        Assert.That(task.MinimalPairs(20).Select(pair => string.Join(' ', pair.Wrong)), Is.EqualTo(pairs.Select(pair => string.Join(' ', pair.Wrong))));
    }

    // Whole sentences, each with the one before it in its row.
    private static List<string[]> Sentences(LearningTask task, out List<string[]?> before)
    {
        var batch = new BatchRows(task.Fields(Time), Rows);
        batch.Fill(task, TaskSplit.Probe, 0, Rows, Rows);
        List<string[]> all = [];
        before = [];
        for (int row = 0; row < Rows; row++)
        {
            string[] words = [.. batch.Integers(BatchField.Tokens).Slice(row * Time, Time).ToArray().Select(task.Symbol)];
            Assert.That(words[0], Is.EqualTo("."));
            string[]? last = null;
            for (int begin = 1, end; (end = Array.IndexOf(words, ".", begin)) > 0; begin = end + 1)
            {
                all.Add(words[begin..end]);
                before.Add(last);
                last = words[begin..end];
            }
        }

        return all;
    }

    // The first noun or pronoun.
    private static string Subject(string[] sentence) => sentence is ["he" or "she" or "it" or "they", ..] ? sentence[0] : sentence.First(word => IsNoun(word));

    private static bool IsNoun(string word) => GrammarWords.Nouns.Contains(word) || (word.EndsWith('s') && GrammarWords.Nouns.Contains(word[..^1]));

    private static bool IsVerb(string word) =>
        new[] { "sleep", "wait", "fall", "sing", "run", "stay", "see", "like", "find", "help", "hear", "follow" }.Any(verb => word == verb || word == verb + "s");

    private static string Reference(string noun, string masculine, string feminine, string neuter, string plural) =>
        noun is "he" or "she" or "it" or "they" ? (noun switch { "he" => masculine, "she" => feminine, "it" => neuter, _ => plural })
        : noun.EndsWith('s') ? plural : s_masculine.Contains(noun) ? masculine : s_feminine.Contains(noun) ? feminine : neuter;

    private static LearningTask Open(GrammarConfig config) =>
        config.Open(new TaskContext { Model = config.Fit(new ModelConfig { Layers = 1, Width = 8, Heads = 2, Context = Time }).Resolve(), Seed = 3 });
}
