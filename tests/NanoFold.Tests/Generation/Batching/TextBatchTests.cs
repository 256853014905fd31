using NanoFold.Engine.Configuration;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Generation.Batching;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Generation.Batching;

public class TextBatchTests
{
    private readonly ByteTokenizer _tokenizer = new();
    private CpuBackend _backend = null!;
    private Transformer _model = null!;

    [SetUp]
    public void SetUp()
    {
        _backend = new CpuBackend(2);
        _model = TinyModels.Random(_backend, TinyModels.Shape with { Context = 40 });
    }

    [TearDown]
    public void TearDown()
    {
        _model.Dispose();
        _backend.Dispose();
    }

    [Test]
    public void TextsAreThoseThatAGeneratorWritesAlone()
    {
        GenerationConfig[] ways =
        [
            new() { Temperature = 0, MaxTokens = 30 },
            new() { Temperature = 1.2, TopK = 40, MaxTokens = 50, Keep = 2 },
            new() { Temperature = 0.9, TopP = 0.8, RepetitionPenalty = 1.3, Stop = ["e", "no such"], MaxTokens = 60 },
            new() { MinP = 0.05, MaxTokens = 1 },
        ];
        string[] prompts = ["", "A rather long prompt of more than the context, of which the first part is left out.", "twice", "twice"];
        using var generator = new Generator(_model, _tokenizer);
        using var batch = new TextBatch(_model, _tokenizer, rows: 3);
        var written = new Dictionary<(int Way, int Prompt), (string Pieces, WrittenText Text)>();
        for (int w = 0; w < ways.Length; w++)
        {
            for (int p = 0; p < prompts.Length; p++)
            {
                (int, int) key = (w, p);
                string pieces = "";
                batch.Add(new TextRequest
                {
                    Prompt = Generator.PromptTokens(_tokenizer, prompts[p], specials: false),
                    Options = ways[w],
                    Seed = 11,
                    Number = p == 3 ? 1 : 0,
                    OnToken = token => pieces += token.Text,
                    OnEnd = text => written.Add(key, (pieces, text)),
                });
            }
        }

        Assert.That((batch.Waiting, batch.Active), Is.EqualTo((16, 0)));
        int most = 0;
        while (batch.Turn())
        {
            most = Math.Max(most, batch.Active);
        }

        Assert.That((batch.Waiting, batch.Active, most), Is.EqualTo((0, 0, 3)));
        for (int w = 0; w < ways.Length; w++)
        {
            IReadOnlyList<GeneratedSample> samples = generator.Generate(prompts, ways[w], seed: 11).Samples;
            for (int p = 0; p < prompts.Length; p++)
            {
                (string pieces, WrittenText text) = written[(w, p)];
                Assert.That((text.Text, text.Tokens, text.Finish), Is.EqualTo((samples[p].Text, samples[p].TokenIds.Count, (FinishReason?)samples[p].Finish)));
                Assert.That(pieces, Is.EqualTo(text.Text));
            }
        }
    }

    [Test]
    public void WhoeverLeavesMakesRoom()
    {
        using var batch = new TextBatch(_model, _tokenizer, rows: 1);
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var ends = new List<(string Name, WrittenText Text)>();
        batch.Add(Request("first", 1000, first.Token));
        batch.Add(Request("second", 1000, second.Token));
        batch.Add(Request("third", 5, default));
        for (int i = 0; i < 4; i++)
        {
            Assert.That(batch.Turn());
        }

        second.Cancel();
        first.Cancel();
        while (batch.Turn())
        {
        }

        Assert.That(ends.Select(end => end.Name), Is.EqualTo(new[] { "first", "second", "third" }));
        Assert.That((ends[0].Text.Tokens, ends[0].Text.Finish, ends[0].Text.Fault), Is.EqualTo((4, (FinishReason?)null, (Exception?)null)));
        Assert.That((ends[1].Text.Tokens, ends[1].Text.Finish), Is.EqualTo((0, (FinishReason?)null)));
        Assert.That((ends[2].Text.Tokens, ends[2].Text.Finish), Is.EqualTo((5, (FinishReason?)FinishReason.Length)));

        TextRequest Request(string name, int tokens, CancellationToken cancel) => new()
        {
            Prompt = [65], Options = new GenerationConfig { MaxTokens = tokens }, Cancel = cancel, OnEnd = text => ends.Add((name, text)),
        };
    }

    [Test]
    public void StoppingEndsWhatIsThere()
    {
        using var batch = new TextBatch(_model, _tokenizer, rows: 1);
        using var stop = new CancellationTokenSource();
        var ends = new List<WrittenText>();
        using var started = new ManualResetEventSlim();
        var thread = new Thread(() => batch.Run(stop.Token));
        thread.Start();
        for (int i = 0; i < 2; i++)
        {
            batch.Add(new TextRequest { Prompt = [65], Options = new GenerationConfig { MaxTokens = int.MaxValue }, OnToken = _ => started.Set(), OnEnd = ends.Add });
        }

        Assert.That(started.Wait(TimeSpan.FromMinutes(1)));
        stop.Cancel();
        Assert.That(thread.Join(TimeSpan.FromMinutes(1)));
        Assert.That(ends.Select(end => end.Finish), Is.EqualTo(new FinishReason?[] { null, null }));
        Assert.That((batch.Active, batch.Waiting), Is.EqualTo((0, 0)));
    }

    [Test]
    public void WhatComesWhereNothingIsWrittenAnyMoreEndsAtOnce()
    {
        using var batch = new TextBatch(_model, _tokenizer, rows: 1);
        batch.Run(new CancellationToken(canceled: true));
        var ends = new List<WrittenText>();
        batch.Add(new TextRequest { Prompt = [65], Options = new GenerationConfig(), OnEnd = ends.Add });
        Assert.That((ends.Single().Finish, ends[0].Fault, batch.Waiting), Is.EqualTo(((FinishReason?)null, (Exception?)null, 0)));
    }

    [Test]
    public void AFaultOfTheProgramIsToldToAllThatWait()
    {
        using var batch = new TextBatch(_model, _tokenizer, rows: 1);
        var ends = new List<WrittenText>();
        var fault = new InvalidOperationException("inside");
        for (int i = 0; i < 2; i++)
        {
            batch.Add(new TextRequest { Prompt = [65], Options = new GenerationConfig(), OnToken = _ => throw fault, OnEnd = ends.Add });
        }

        Assert.That(() => batch.Run(CancellationToken.None), Throws.Exception.SameAs(fault));
        Assert.That(ends.Select(end => (end.Finish, end.Fault)), Is.EqualTo(new[] { ((FinishReason?)null, (Exception?)fault), (null, fault) }));
        Assert.That((batch.Active, batch.Waiting), Is.EqualTo((0, 0)));
    }

    [Test]
    public void NoEndIsDrawnWhereItIsIgnored()
    {
        var tokens = new List<int>();
        using var batch = new TextBatch(_model, _tokenizer, rows: 1);
        var greedy = new GenerationConfig { Temperature = 0, MaxTokens = 5 };
        batch.Add(new TextRequest { Prompt = [65], Options = greedy, OnToken = token => tokens.Add(token.Token), OnEnd = _ => { } });
        while (batch.Turn())
        {
        }

        int first = tokens[0];
        WrittenText? ended = null, ignored = null;
        tokens.Clear();
        batch.Add(new TextRequest { Prompt = [65], Options = greedy, EndTokens = [first], OnEnd = text => ended = text });
        batch.Add(new TextRequest { Prompt = [65], Options = greedy with { IgnoreEos = true }, EndTokens = [first], OnToken = token => tokens.Add(token.Token), OnEnd = text => ignored = text });
        while (batch.Turn())
        {
        }

        Assert.That((ended!.Tokens, ended.Finish, ignored!.Tokens, ignored.Finish), Is.EqualTo((1, (FinishReason?)FinishReason.Eos, 5, (FinishReason?)FinishReason.Length)));
        Assert.That(tokens, Has.None.EqualTo(first));
    }

    [Test]
    public void LogProbabilitiesAreThoseOfTheModel()
    {
        var tokens = new List<WrittenToken>();
        using var batch = new TextBatch(_model, _tokenizer, rows: 2);
        batch.Add(new TextRequest
        {
            Prompt = [65, 66], Options = new GenerationConfig { MaxTokens = 6, Temperature = 0.3, RepetitionPenalty = 2 }, Likeliest = 3, OnToken = tokens.Add, OnEnd = _ => { },
        });
        while (batch.Turn())
        {
        }

        using var full = new FullPass(_model);
        List<int> seen = [65, 66];
        foreach (WrittenToken token in tokens)
        {
            double[] logits = Array.ConvertAll(full.Logits(seen), logit => (double)logit);
            double normalizer = Math.Log(logits.Sum(Math.Exp));
            Assert.That(token.Scores!.LogProbability, Is.EqualTo(logits[token.Token] - normalizer).Within(1e-5));
            TokenScore[] best = [.. logits.Select((logit, id) => new TokenScore(id, logit - normalizer)).OrderByDescending(score => score.LogProbability).Take(3)];
            Assert.That(token.Scores.Likeliest.Select(score => score.Token), Is.EqualTo(best.Select(score => score.Token)));
            Assert.That(token.Scores.Likeliest.Select(score => score.LogProbability), Is.EqualTo(best.Select(score => score.LogProbability)).Within(1e-5));
            seen.Add(token.Token);
        }

        Assert.That(tokens, Has.Count.EqualTo(6));
    }

    [Test]
    public void ADamagedModelEndsItsTextsAndNotTheBatch()
    {
        float[] head = TinyModels.Read(_model, "lm_head.weight");
        TinyModels.Write(_model, "lm_head.weight", [.. head.Select(_ => float.NaN)]);
        using var batch = new TextBatch(_model, _tokenizer, rows: 1);
        var ends = new List<WrittenText>();
        batch.Add(new TextRequest { Prompt = [65], Options = new GenerationConfig(), OnEnd = ends.Add });
        batch.Add(new TextRequest { Prompt = [65], Options = new GenerationConfig { MaxTokens = 2 }, OnEnd = ends.Add });
        batch.Turn();
        Assert.That(ends.Single().Fault!.Message, Does.StartWith("model: the logit of token 0 is NaN"));
        TinyModels.Write(_model, "lm_head.weight", head);
        while (batch.Turn())
        {
        }

        Assert.That((ends[1].Fault, ends[1].Tokens), Is.EqualTo(((Exception?)null, 2)));
    }

    [Test]
    public void WhatCannotBeDoneIsSaidWhereItIsAdded()
    {
        using var batch = new TextBatch(_model, _tokenizer, rows: 1);
        Assert.That(() => batch.Add(new TextRequest { Prompt = [65], Options = new GenerationConfig { TopP = 2 }, OnEnd = _ => { } }), Throws.TypeOf<ConfigException>());
        Assert.That(() => batch.Add(new TextRequest { Prompt = [], Options = new GenerationConfig(), OnEnd = _ => { } }), Throws.ArgumentException);
        Assert.That(() => batch.Add(new TextRequest { Prompt = [256], Options = new GenerationConfig(), OnEnd = _ => { } }), Throws.ArgumentException);
        Assert.That(batch.Waiting, Is.Zero);
    }
}
