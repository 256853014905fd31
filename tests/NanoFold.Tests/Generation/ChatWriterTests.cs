using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Generation;

/// <summary>Answers in a conversation: where they end, what is kept from turn to turn, what is left out.</summary>
public class ChatWriterTests
{
    private static readonly GenerationConfig s_greedy = new() { Temperature = 0, MaxTokens = 24 };

    private CpuBackend _backend = null!;

    [SetUp]
    public void SetUp() => _backend = new CpuBackend(1);

    [TearDown]
    public void TearDown() => _backend.Dispose();

    [Test]
    public void AnAnswerEndsWhereTheNextTurnWouldBegin()
    {
        // "User: hi\nAssistant:" has 19 bytes: after them the script goes on.
        using Transformer model = Scripted("....................", " good\nday\nUser: me");
        using var writer = new ChatWriter(model, new ByteTokenizer(), ChatTemplate.Plain());
        var shown = new StringBuilder();
        GenerationConfig options = s_greedy with { MaxTokens = 17 };
        ChatAnswer answer = writer.Answer(writer.Fit([new("user", "hi")], options), options, seed: 0, onText: text => shown.Append(text));
        Assert.That((answer.Text, answer.Finish, answer.IsStopped, shown.ToString()), Is.EqualTo((" good\nday", FinishReason.Stop, false, " good\nday")));
        Assert.That((answer.PromptTokens, answer.KeptTokens), Is.EqualTo((19, 0)));
    }

    [Test]
    public void AConversationThatGoesOnIsReadFromWhereItWas()
    {
        const string source = "{% for m in messages %}{{ m.role[0] ~ m.content ~ '|' }}{% endfor %}{% if add_generation_prompt %}a{% endif %}";
        using Transformer model = TinyModels.Scripted(_backend, [.. Enumerable.Range(0, 120).Select(i => 'a' + (i % 26))], new ByteTokenizer().Vocab);
        using var writer = new ChatWriter(model, new ByteTokenizer(), ChatTemplate.Parse(source));
        List<ChatMessage> messages = [new("user", "one")];
        GenerationConfig options = s_greedy with { MaxTokens = 8 };
        int before = 0;
        for (int turn = 0; turn < 4; turn++)
        {
            ChatHistory history = writer.Fit(messages, options);
            ChatAnswer answer = writer.Answer(history, options, seed: 1);
            using var fresh = new ChatWriter(model, new ByteTokenizer(), writer.Template);
            Assert.That(answer.TokenIds, Is.EqualTo(fresh.Answer(history, options, seed: 1).TokenIds));
            Assert.That(answer.KeptTokens, Is.EqualTo(before), "all but the last token that was drawn");
            before = answer.PromptTokens + answer.TokenIds.Count - 1;
            messages.AddRange([new("assistant", answer.Text), new("user", "more")]);
        }

        Assert.That(writer.Answer(writer.Fit([new("user", "two")], options), options, seed: 1).KeptTokens, Is.Zero, "another conversation");
    }

    [Test]
    public void WhatWasReadInPartsIsWhatWasReadAtOnce()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape with { Context = 120 });
        using var writer = new ChatWriter(model, new ByteTokenizer(), ChatTemplate.Plain());
        GenerationConfig options = s_greedy with { MaxTokens = 6 };
        ChatHistory first = writer.Fit([new("user", "one")], options);
        ChatAnswer answer = writer.Answer(first, options, seed: 1);
        int[] more = [.. first.Ids, .. answer.TokenIds, .. new ByteTokenizer().Encode("|and then?")];
        ChatAnswer again = writer.Answer(new ChatHistory([], more, 0), options, seed: 1);
        using var fresh = new ChatWriter(model, new ByteTokenizer(), ChatTemplate.Plain());
        Assert.That((again.TokenIds, again.KeptTokens > 0), Is.EqualTo((fresh.Answer(new ChatHistory([], more, 0), options, seed: 1).TokenIds, true)));
    }

    [Test]
    public void WholeTurnsAreLeftOutFromTheOldestOn()
    {
        ChatMessage[] messages = [new("system", "s"), new("user", "first"), new("assistant", "a"), new("assistant", "b"), new("user", "second"), new("assistant", "c"), new("user", "third")];
        ChatHistory Fit(int most) => ChatHistory.Fit(ChatTemplate.Plain(), new ByteTokenizer(), messages, most);
        int all = Fit(1000).Ids.Length;
        Assert.That((Fit(all).Dropped, Fit(all).Messages.Count), Is.EqualTo((0, 7)));
        Assert.That((Fit(all - 1).Dropped, Fit(all - 1).Messages[1].Content, Fit(all - 1).Messages[0].Content), Is.EqualTo((3, "second", "s")));
        Assert.That((Fit(40).Dropped, Fit(40).Messages[1].Content), Is.EqualTo((5, "third")));
        Assert.That(() => Fit(20), Throws.TypeOf<UserException>().With.Message.StartsWith("the message is too long: 24 tokens with what stands before it, where 20 leave room for an answer"));
    }

    [Test]
    public void AnAnswerIsStoppedAndTheContextIsNeverOverrun()
    {
        using Transformer model = Scripted("....................", "abcdefghijklmnop");
        using var writer = new ChatWriter(model, new ByteTokenizer(), ChatTemplate.Plain());
        ChatHistory history = ChatHistory.Fit(ChatTemplate.Plain(), new ByteTokenizer(), [new("user", "hi")], writer.Context - 1);
        ChatAnswer full = writer.Answer(history, s_greedy with { MaxTokens = 1000 }, seed: 0);
        Assert.That((full.Finish, full.PromptTokens + full.TokenIds.Count), Is.EqualTo((FinishReason.Length, writer.Context)));

        using var stop = new CancellationTokenSource();
        ChatAnswer stopped = writer.Answer(history, s_greedy, seed: 0, onText: text => { if (text.Contains('c')) { stop.Cancel(); } }, stop: stop.Token);
        Assert.That((stopped.Text, stopped.IsStopped), Is.EqualTo((full.Text[..3], true)));
        Assert.That(writer.Answer(history, s_greedy, seed: 0).Text, Is.EqualTo(full.Text), "as if nothing had been stopped");
    }

    // Says what stands in the script, byte by byte; the first bytes are the places of the question.
    private Transformer Scripted(string before, string script) => TinyModels.Scripted(_backend, [.. Encoding.UTF8.GetBytes(before[..18] + script).Select(b => (int)b)], new ByteTokenizer().Vocab);
}
