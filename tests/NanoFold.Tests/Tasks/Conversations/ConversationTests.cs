using NanoFold.Engine;
using NanoFold.Engine.Data;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tasks;
using NanoFold.Engine.Text;
using NanoFold.Tests.Training;

namespace NanoFold.Tests.Tasks.Conversations;

/// <summary>Conversations in rows: which tokens count, what is packed with what, what is refused.</summary>
public class ConversationTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCase("""{"messages":[{"role":"user","content":"ab"},{"role":"assistant","content":"cd"}]}""")]
    [TestCase("""{"conversations":[{"from":"human","value":"ab"},{"from":"gpt","value":"cd"}]}""")]
    [TestCase("""{"prompt":"ab","completion":"cd"}""")]
    [TestCase("""{"prompt":[{"role":"user","content":"ab"}],"completion":[{"role":"assistant","content":"cd"}]}""")]
    public void OnlyAnswersCount(string line)
    {
        using LearningTask task = Open(new ConversationsConfig(), 40, line);
        BatchRows row = Row(task, 40);
        string text = "User: ab\nAssistant: cd\n";
        string read = new([.. row.Integers(BatchField.Tokens)[..(text.Length - 1)].ToArray().Select(t => (char)t)]);
        Assert.That(read, Is.EqualTo(text[..^1]));
        string asked = new([.. row.Integers(BatchField.Targets).ToArray().Select(t => t < 0 ? '.' : (char)t)]);
        Assert.That(asked.TrimEnd('.'), Does.EndWith("cd\n").Or.EndWith("cd"));
        Assert.That(asked.Trim('.').Trim(), Is.EqualTo("cd"));
        Assert.That(row.Targets, Is.EqualTo(asked.Count(c => c != '.')));
        using LearningTask all = Open(new ConversationsConfig { AnswersOnly = false }, 40, line);
        Assert.That(Row(all, 40).Targets, Is.EqualTo(text.Length - 1));
    }

    [Test]
    public void RowsHoldWhatFitsAndEachIsADocument()
    {
        string[] lines = [.. new[] { "abcdefgh", "a", "b", "abcd" }.Select(answer => $$"""{"prompt":"x","completion":"{{answer}}"}""")];
        using LearningTask task = Open(new ConversationsConfig(), 60, lines, model => model with { Position = PositionKind.Learned });
        Assert.That(task.Rows(TaskSplit.Training, 60), Is.EqualTo(2), "of 28, 21, 21 and 24 tokens less one each");
        var seen = new List<int>();
        var batch = new BatchRows(task.Fields(60), 2);
        batch.Fill(task, step: 0, microBatch: 0);
        for (int row = 0; row < 2; row++)
        {
            int[] documents = batch.Integers(BatchField.Documents)[(row * 60)..((row + 1) * 60)].ToArray(), positions = batch.Integers(BatchField.Positions)[(row * 60)..((row + 1) * 60)].ToArray();
            foreach (IGrouping<int, int> document in Enumerable.Range(0, 60).Where(i => documents[i] >= 0).GroupBy(i => documents[i]))
            {
                Assert.That(document.Select(i => positions[i]), Is.EqualTo(Enumerable.Range(0, document.Count())));
                seen.Add(document.Count());
            }
        }

        Assert.That(seen, Is.EquivalentTo(new[] { 27, 20, 20, 23 }), "each once before one comes again");
        using LearningTask alone = Open(new ConversationsConfig { Pack = false }, 60, lines, null);
        Assert.That(alone.Rows(TaskSplit.Training, 60), Is.EqualTo(4));
    }

    [Test]
    public void EveryRowComesOnceInAPass()
    {
        foreach (int count in new[] { 1, 2, 7, 100 })
        {
            var rows = new PackedRows([.. Enumerable.Repeat(3, count)], 5, 10);
            Assert.That(rows.Count, Is.EqualTo(count));
            int[] Pass(long first) => [.. Enumerable.Range(0, count).Select(i => rows.RowOf(new RowKey(TaskSplit.Training, (first + i) / 4, (int)((first + i) % 4 / 2), (first + i) % 2, 2), 2, 9))];
            Assert.That(Pass(0), Is.EquivalentTo(Enumerable.Range(0, count)));
            Assert.That(Pass(count), Is.EquivalentTo(Enumerable.Range(0, count)));
            Assert.That(count < 7 || !Pass(0).SequenceEqual(Pass(count)), Is.True);
        }
    }

    [Test]
    public void PiecesAreLaidIntoFewRows()
    {
        var rows = new PackedRows([5, 5, 3, 3, 2, 2, 7, 3], 10, 10);
        Assert.That(Enumerable.Range(0, rows.Count).Select(row => rows[row].ToArray().Order().ToArray()), Is.EquivalentTo(new[] { new[] { 0, 1 }, [2, 6], [3, 4, 5, 7] }));
        Assert.That(new PackedRows([5, 5, 3, 3, 2, 2, 7, 3], 10, 1).Count, Is.EqualTo(8));
    }

    [TestCase("nonsense", "line 1: is no JSON")]
    [TestCase("[1]", "line 1: is no JSON object; conversations are JSON lines, an object a line")]
    [TestCase("""{"text":"a"}""", "line 1: has no conversation: expected messages [{role, content}], conversations [{from, value}], or prompt and completion")]
    [TestCase("""{"messages":"a"}""", "line 1: the conversation has no answer: none of its 1 turns is of the role assistant")]
    [TestCase("""{"messages":7}""", "line 1: messages is no list of turns")]
    [TestCase("""{"messages":[7]}""", "line 1: messages: a message is an object with a role and a content")]
    [TestCase("""{"messages":[{"content":"a"}]}""", "line 1: messages: turn 1 has no role")]
    [TestCase("""{"messages":[{"role":"user","content":"a"}]}""", "line 1: the conversation has no answer: none of its 1 turns is of the role assistant")]
    [TestCase("""{"conversations":[{"value":"a"}]}""", "line 1: conversations: a turn has no \"from\"")]
    [TestCase("""{"prompt":"abcdefghijklmnopqrstuvwxyz","completion":"a"}""", "none of 1 conversations has an answer within model.context = 20 tokens; use a larger context")]
    public void WhatIsNoConversationIsOneLine(string line, string message)
    {
        UserException fault = Assert.Throws<UserException>(() => Open(new ConversationsConfig(), 20, line))!;
        Assert.That(fault.Message, Does.Contain(message).And.StartWith(_folder["talk.jsonl"]).And.Not.Contains("\n"));
    }

    [TestCase("""{"prompt":"a","chosen":"b"}""", "line 1: has no \"rejected\"; pairs are objects with prompt, chosen and rejected")]
    [TestCase("""{"prompt":"a","chosen":"b","rejected":"b"}""", "of 1 of 1 pairs chosen and rejected are the same, so that none is left")]
    [TestCase("""{"chosen":[{"role":"user","content":"a"}],"rejected":[{"role":"user","content":"a"}]}""", "line 1: the conversation has no answer: none of its 1 turns is of the role assistant")]
    [TestCase("""{"chosen":[{"role":"user","content":"a"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}""", "line 1: one of chosen and rejected is where the other begins, so that it has no answer; name what both go on from as prompt")]
    [TestCase("""{"prompt":"abcdefghijklmnopqrst","chosen":"b","rejected":"c"}""", "take more than the 30 tokens of model.context for both answers with their prompt, so that none is left; use a larger context")]
    public void WhatIsNoPairIsOneLine(string line, string message)
    {
        UserException fault = Assert.Throws<UserException>(() => Open(new PreferenceConfig(), 30, line))!;
        Assert.That(fault.Message, Does.Contain(message).And.StartWith(_folder["talk.jsonl"]).And.Not.Contains("\n"));
    }

    [Test]
    public void PairsWithTheSameAnswersAreLeftOutWithALine()
    {
        var notes = new List<string>();
        using LearningTask task = Open(new PreferenceConfig(), 60, ["""{"prompt":"a","chosen":"b","rejected":"b"}""", """{"prompt":"a","chosen":"b","rejected":"c"}"""], null, context => context with { Note = notes.Add });
        Assert.That(((PreferenceTask)task).Train.Count, Is.EqualTo(1));
        Assert.That(notes, Is.EqualTo(new[] { $"{_folder["talk.jsonl"]}: of 1 of 2 pairs chosen and rejected are the same; they are left out" }));
    }

    [Test]
    public void FilesWithoutAnythingAreOneLine()
    {
        string other = _folder["other.jsonl"];
        File.WriteAllText(other, """{"prompt":"a","completion":"b"}""");
        File.WriteAllText(_folder["none.jsonl"], "\n");
        foreach (string empty in new[] { "train", "validation" })
        {
            UserException fault = Assert.Throws<UserException>(() => Open(
                new ConversationsConfig(), 30, empty == "train" ? [] : ["""{"prompt":"a","completion":"b"}"""], null,
                context => context with { Data = context.Data with { Path = empty == "train" ? _folder["talk.jsonl"] : other, Validation = empty == "train" ? other : _folder["none.jsonl"] } }))!;
            Assert.That(fault.Message, Does.EndWith(empty == "train" ? "talk.jsonl: holds no conversations" : "none.jsonl: holds no conversations"));
        }
    }

    [Test]
    [NonParallelizable]
    public void AShareOfTheRowsIsOfTheOlderTextAndTheOthersAllCome()
    {
        using var cache = new TrainRig();
        File.WriteAllText(_folder["old.txt"], new string('o', 4000));
        string[] lines = [.. Enumerable.Range(0, 9).Select(i => $$"""{"prompt":"x","completion":"{{i}}{{i}}"}""")];
        using LearningTask task = Open(new ConversationsConfig { Pack = false }, 40, lines, null, context => context with { Accumulate = 2, Data = context.Data with { Replay = _folder["old.txt"], ReplayShare = 0.25 } });
        var batch = new BatchRows(task.Fields(40), 2);
        var seen = new List<string>();
        int old = 0;
        for (int step = 0; seen.Count < 9; step++)
        {
            for (int part = 0; part < 2; part++)
            {
                batch.Fill(task, step, part);
                for (int row = 0; row < 2 && seen.Count < 9; row++)
                {
                    string text = new([.. batch.Integers(BatchField.Tokens).Slice(row * 40, 40).ToArray().Select(t => (char)t)]);
                    old += text[0] == 'o' ? 1 : 0;
                    seen.AddRange(text[0] == 'o' ? Array.Empty<string>() : [text]);
                }
            }
        }

        Assert.That((seen.Distinct().Count(), old), Is.EqualTo((9, 2)), "all conversations before one comes again; a row of four is of the older text");
    }

    [Test]
    public void APairIsTwoDocumentsOfWhichOnlyTheAnswersCount()
    {
        using LearningTask task = Open(new PreferenceConfig(), 50, """{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"ee"}]}""", 120);
        BatchRows row = Row(task, 120);
        string Asked(int document) => new([.. Enumerable.Range(0, 120).Where(i => row.Integers(BatchField.Documents)[i] == document && row.Integers(BatchField.Targets)[i] >= 0).Select(i => (char)row.Integers(BatchField.Targets)[i])]);
        Assert.That((Asked(0).Trim(), Asked(1).Trim()), Is.EqualTo(("d", "ee")), "what was answered before is part of the prompt");
        float[] answers = row.Reals(PreferenceLearning.Answers).ToArray();
        Assert.That((answers[..120].Sum(), answers[120..240].Sum()), Is.EqualTo((Asked(0).Length, Asked(1).Length)));
        Assert.That(row.Targets, Is.EqualTo(1), "pairs");
    }

    private LearningTask Open(TaskConfig config, int context, string line, int? wider = null) => Open(config, wider ?? context, [line], null);

    private LearningTask Open(TaskConfig config, int context, string[] lines, Func<ModelConfig, ModelConfig>? change, Func<TaskContext, TaskContext>? more = null)
    {
        File.WriteAllLines(_folder["talk.jsonl"], lines);
        ModelConfig model = new() { Context = context };
        var opened = new TaskContext
        {
            Model = change?.Invoke(model) ?? model, Seed = 1, Data = new DataConfig { Path = _folder["talk.jsonl"], ValidationFraction = 0 }, Tokenizer = () => TokenizerSpec.Given(new ByteTokenizer()),
        };
        return config.Open(more?.Invoke(opened) ?? opened);
    }

    private static BatchRows Row(LearningTask task, int time)
    {
        var row = new BatchRows(task.Fields(time), 1);
        row.Fill(task, step: 0, microBatch: 0);
        return row;
    }
}
