using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Generation;

public class GeneratorTests
{
    private static readonly GenerationConfig s_greedy = new() { Temperature = 0, MaxTokens = 40 };

    private static readonly string[] s_prompts = ["", "a", "Hello", "sixteen letters!", "seventeen letters", "a prompt that is much longer than the context"];

    private CpuBackend _backend = null!;

    [SetUp]
    public void SetUp() => _backend = new CpuBackend(2);

    [TearDown]
    public void TearDown() => _backend.Dispose();

    // 40 tokens at a context of 16: the context is full more than once.
    [TestCaseSource(typeof(DecoderTests), nameof(DecoderTests.Models))]
    public void GreedyEqualsGreedyByFullPasses(ModelConfig config)
    {
        using Transformer model = TinyModels.Random(_backend, config);
        // What slides on is as if the context had been longer from the beginning, but for the prompt.
        using Transformer longer = TinyModels.Random(_backend, config with { Context = model.SlidesOn ? config.Context + 40 : config.Context });
        var ties = new IndexTies(longer.Config);
        using var full = new FullPass(longer, ties.Taps);
        using var generator = new Generator(model, new ByteTokenizer());
        foreach (string prompt in s_prompts)
        {
            int[] tokens = [.. new ByteTokenizer().Encode(prompt.Length == 0 ? "\n" : prompt).TakeLast(config.Context)];
            int[] written = [.. generator.Generate([prompt], s_greedy).Samples[0].TokenIds], expected = full.Greedy(tokens, 40);
            int same = written.Zip(expected).TakeWhile(pair => pair.First == pair.Second).Count();
            if (written.Length != 40 || (same < 40 && !ties.Decide(full, full.Seen(tokens, expected.Take(same)))))
            {
                Assert.That(written, Is.EqualTo(expected), $"after \"{prompt}\"");
            }
        }
    }

    [TestCaseSource(typeof(DecoderTests), nameof(DecoderTests.Models))]
    public void ASampleDoesNotDependOnWhatStandsBesideIt(ModelConfig config)
    {
        using Transformer model = TinyModels.Random(_backend, config);
        using var generator = new Generator(model, new ByteTokenizer());
        GenerationConfig options = s_greedy with { Temperature = 1 };
        IReadOnlyList<GeneratedSample> together = generator.Generate(s_prompts, options, seed: 3).Samples;
        Assert.That(together.Select(sample => sample.Prompt), Is.EqualTo(s_prompts));
        foreach (GeneratedSample sample in together)
        {
            GeneratedSample alone = generator.Generate([sample.Prompt], options, seed: 3).Samples[0];
            Assert.That(sample.TokenIds, Is.EqualTo(alone.TokenIds));
            Assert.That((sample.Text, sample.Finish, sample.DroppedPromptTokens), Is.EqualTo((alone.Text, alone.Finish, alone.DroppedPromptTokens)));
        }
    }

    [Test]
    public void EqualPromptsAreNumbered()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        GenerationConfig options = s_greedy with { Temperature = 1 };
        IReadOnlyList<GeneratedSample> mixed = generator.Generate(["x", "same", "y", "same", "same"], options, 8).Samples;
        IReadOnlyList<GeneratedSample> alone = generator.Generate(["same", "same", "same"], options, 8).Samples;
        Assert.That(mixed.Select(s => s.Number), Is.EqualTo(new[] { 0, 0, 0, 1, 2 }));
        Assert.That(mixed.Where(s => s.Prompt == "same").Select(s => s.Text), Is.EqualTo(alone.Select(s => s.Text)).And.Unique);
    }

    // 40 tokens at a context of 16: the context is full more than once.
    [TestCase(1)]
    [TestCase(5)]
    [TestCase(14)]
    [TestCase(15)]
    public void TheFirstTokensStayWhereTheContextIsFull(int keep)
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var full = new FullPass(model);
        using var generator = new Generator(model, new ByteTokenizer());
        foreach (string prompt in s_prompts.Where(prompt => prompt.Length > 0))
        {
            int[] all = new ByteTokenizer().Encode(prompt);
            int[] seen = all.Length <= 16 ? all : [.. all[..keep], .. all[(keep + all.Length - 16)..]];
            GeneratedSample sample = generator.Generate([prompt], s_greedy with { Keep = keep }).Samples[0];
            Assert.That(sample.TokenIds, Is.EqualTo(full.Greedy(seen, 40, keep)), $"after \"{prompt}\"");
            Assert.That(sample.DroppedPromptTokens, Is.EqualTo(Math.Max(0, all.Length - 16)));
        }
    }

    [Test]
    public void TheEndMarkCanBeIgnored()
    {
        int[] script = ['a', 'b', 257, 'c', 'd'];
        using Transformer model = TinyModels.Scripted(_backend, script, 258);
        using var generator = new Generator(model, new ByteTokenizer(documentMarks: true));
        GenerationConfig options = s_greedy with { MaxTokens = 4, IgnoreEos = true };
        GeneratedSample sample = generator.Generate([""], options).Samples[0];
        Assert.That((sample.Finish, sample.TokenIds.Count), Is.EqualTo((FinishReason.Length, 4)));
        Assert.That(sample.TokenIds.Take(2), Is.EqualTo(new[] { (int)'a', 'b' }));
        Assert.That(sample.TokenIds, Has.None.EqualTo(257));
        Assert.That(generator.Generate([""], options with { IgnoreEos = false }).Samples[0].TokenIds, Is.EqualTo(new[] { 'a', 'b', 257 }));
    }

    [Test]
    public void SeedsReproduce()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        GenerationConfig options = s_greedy with { Temperature = 1, TopK = 50, TopP = 0.95, RepetitionPenalty = 1.1 };
        string[] prompts = ["same", "same"];
        int[][] first = Sample(5), again = Sample(5), other = Sample(6);
        Assert.Multiple(() =>
        {
            Assert.That(again, Is.EqualTo(first));
            Assert.That(other[0], Is.Not.EqualTo(first[0]), "another seed");
            Assert.That(first[1], Is.Not.EqualTo(first[0]), "another row");
        });

        using var fresh = new Generator(model, new ByteTokenizer());
        Assert.That(fresh.Generate(prompts, options, 5).Samples.Select(s => s.TokenIds), Is.EqualTo(first), "another generator");

        int[][] Sample(ulong seed) => [.. generator.Generate(prompts, options, seed).Samples.Select(s => s.TokenIds.ToArray())];
    }

    [Test]
    public void LimitsOfSamplingAreGreedy()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        IReadOnlyList<int> greedy = generator.Generate(["x"], s_greedy).Samples[0].TokenIds;
        foreach (GenerationConfig options in new[]
        {
            s_greedy with { Temperature = 1e-6 }, s_greedy with { Temperature = 1, TopK = 1 }, s_greedy with { Temperature = 1, TopP = 1e-9 },
            s_greedy with { Temperature = 1, MinP = 1 },
        })
        {
            Assert.That(generator.Generate(["x"], options, 3).Samples[0].TokenIds, Is.EqualTo(greedy), options.ToString());
        }
    }

    [Test]
    public void PromptsLongerThanTheContextSaySo()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        IReadOnlyList<GeneratedSample> samples = generator.Generate(["sixteen letters!", "and twenty-one letters"], s_greedy).Samples;
        Assert.That(samples.Select(s => s.DroppedPromptTokens), Is.EqualTo(new[] { 0, 6 }));
    }

    [Test]
    public void ChineseTextStreamsInWholeCharacters()
    {
        const string Said = "从前有一个小女孩，她喜欢在公园里玩。😀Ünïcode";
        (GeneratedSample sample, List<string> pieces) = Say(Said, new GenerationConfig { Temperature = 0 });
        Assert.Multiple(() =>
        {
            Assert.That(sample.Finish, Is.EqualTo(FinishReason.Eos));
            Assert.That(sample.Text, Is.EqualTo(Said));
            Assert.That(sample.TokenIds[^1], Is.EqualTo(257));
            Assert.That(pieces, Is.EqualTo(Said.EnumerateRunes().Select(rune => rune.ToString())));
        });
    }

    [Test]
    public void StopStringsEndASampleWhereverTheyStand()
    {
        const string Said = "Lily saw 红色的球 there.";
        for (int start = 0; start < Said.Length; start++)
        {
            for (int length = 1; length <= Math.Min(4, Said.Length - start); length++)
            {
                string stop = Said.Substring(start, length);
                (GeneratedSample sample, List<string> pieces) = Say(Said, new GenerationConfig { Temperature = 0, Stop = [stop, "never said"] });
                string expected = Said[..Said.IndexOf(stop, StringComparison.Ordinal)];
                Assert.That((sample.Text, sample.Finish), Is.EqualTo((expected, FinishReason.Stop)), stop);
                Assert.That(string.Concat(pieces), Is.EqualTo(expected), stop);
            }
        }
    }

    [Test]
    public void WhatOnlyBeganLikeAStopIsShownAtTheEnd()
    {
        (GeneratedSample atEnd, List<string> pieces) = Say("the end", new GenerationConfig { Temperature = 0, Stop = ["end."] });
        (GeneratedSample atLength, _) = Say("the end.", new GenerationConfig { Temperature = 0, Stop = ["end."], MaxTokens = 6 });
        Assert.Multiple(() =>
        {
            Assert.That((atEnd.Text, atEnd.Finish), Is.EqualTo(("the end", FinishReason.Eos)));
            Assert.That(pieces[^1], Is.EqualTo("end"));
            Assert.That((atLength.Text, atLength.Finish), Is.EqualTo(("the en", FinishReason.Length)));
        });
    }

    [Test]
    public void ACharacterCutByTheLengthIsLeftOut()
    {
        (GeneratedSample sample, List<string> pieces) = Say("红色", new GenerationConfig { Temperature = 0, MaxTokens = 5 });
        Assert.Multiple(() =>
        {
            Assert.That((sample.Text, sample.Finish), Is.EqualTo(("红", FinishReason.Length)));
            Assert.That(string.Concat(pieces), Is.EqualTo("红"));
            Assert.That(sample.TokenIds, Has.Count.EqualTo(5));
        });
    }

    [Test]
    public void RowsThatEndedWaitForTheOthers()
    {
        // After position p comes the p-th token: rows whose prompts are longer reach the end mark sooner.
        int[] script = [.. Encoding.UTF8.GetBytes("abcdefgh").Select(b => (int)b), 257];
        using Transformer model = TinyModels.Scripted(_backend, script, 258);
        using var generator = new Generator(model, new ByteTokenizer(documentMarks: true));
        var streamed = new StringBuilder[] { new(), new(), new() };
        GenerationResult result = generator.Generate(["", "xx", "xxxxxx"], s_greedy, onText: (row, text) => streamed[row].Append(text));
        string[] expected = ["abcdefgh", "cdefgh", "gh"];
        Assert.Multiple(() =>
        {
            Assert.That(result.Samples.Select(s => s.Text), Is.EqualTo(expected));
            Assert.That(result.Samples.Select(s => s.Finish), Is.All.EqualTo(FinishReason.Eos));
            Assert.That(streamed.Select(s => s.ToString()), Is.EqualTo(expected));
            Assert.That(result.TokensPerSecond, Is.GreaterThan(0));
        });
    }

    [Test]
    public void EmptyPromptsBeginADocument()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape with { Vocab = 258 });
        using var full = new FullPass(model);
        using var marked = new Generator(model, new ByteTokenizer(documentMarks: true));
        using var plain = new Generator(model, new ByteTokenizer());
        GenerationConfig one = s_greedy with { MaxTokens = 1 };
        Assert.Multiple(() =>
        {
            Assert.That(marked.Generate([""], one).Samples[0].TokenIds, Is.EqualTo(full.Greedy([256], 1)));
            Assert.That(marked.Generate(["a"], one).Samples[0].TokenIds, Is.EqualTo(full.Greedy([256, 'a'], 1)));
            Assert.That(plain.Generate([""], s_greedy).Samples[0].TokenIds, Is.All.LessThan(256), "ids that the tokenizer lacks");
        });
    }

    [Test]
    public void CancellingStopsBetweenTokens()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        using var source = new CancellationTokenSource();
        int pieces = 0;
        Assert.That(() => generator.Generate(["x"], s_greedy, 0, Count, source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(pieces, Is.EqualTo(3));
        Assert.That(generator.Generate(["x"], s_greedy).Samples[0].TokenIds, Has.Count.EqualTo(40), "and it can go on");

        void Count(int row, string text)
        {
            if (++pieces == 3)
            {
                source.Cancel();
            }
        }
    }

    // More samples than are written at a time.
    [Test]
    public void SeveralSamplesAreToldOneAfterTheOther()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape with { Context = 30 });
        using var generator = new Generator(model, new ByteTokenizer());
        string[] prompts = [.. Enumerable.Range(0, 19).Select(i => new string('p', i % 5))];
        GenerationConfig options = s_greedy with { Temperature = 1.1, Stop = ["a"] };
        var told = new List<(int Index, string Text)>();
        IReadOnlyList<GeneratedSample> samples = generator.Generate(prompts, options, seed: 8, (index, text) => told.Add((index, text))).Samples;
        Assert.That(told.Select(piece => piece.Index), Is.Ordered);
        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.That((samples[i].Prompt, samples[i].Number), Is.EqualTo((prompts[i], i / 5)));
            Assert.That(string.Concat(told.Where(piece => piece.Index == i).Select(piece => piece.Text)), Is.EqualTo(samples[i].Text));
        }

        // The first of equal prompts is the one that is written alone.
        for (int i = 0; i < 5; i++)
        {
            GeneratedSample alone = generator.Generate([prompts[i]], options, seed: 8).Samples[0];
            Assert.That((samples[i].Text, samples[i].Finish), Is.EqualTo((alone.Text, alone.Finish)));
            Assert.That(samples[i].TokenIds, Is.EqualTo(alone.TokenIds));
        }
    }

    [Test]
    public void CancellingSeveralTellsWhatThereIs()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        using var source = new CancellationTokenSource();
        var told = new List<int>();
        Assert.That(() => generator.Generate(["x", "x", "y"], s_greedy, 0, Count, source.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(told.Distinct(), Is.EqualTo(new[] { 0, 1, 2 }));
        Assert.That(generator.Generate(["x", "y"], s_greedy).Samples.Select(sample => sample.TokenIds.Count), Is.All.EqualTo(40), "and it can go on");

        void Count(int row, string text)
        {
            told.Add(row);
            if (told.Count == 3)
            {
                source.Cancel();
            }
        }
    }

    [Test]
    public void ADamagedModelIsSaidOfSeveralToo()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        float[] head = TinyModels.Read(model, "lm_head.weight");
        TinyModels.Write(model, "lm_head.weight", [.. head.Select(_ => float.NaN)]);
        Assert.That(() => generator.Generate(["x", "y"], s_greedy), Throws.InstanceOf<UserException>().With.Message.Contains("the logit of token 0 is NaN"));
        TinyModels.Write(model, "lm_head.weight", head);
        Assert.That(generator.Generate(["x", "y"], s_greedy).Samples, Has.Count.EqualTo(2));
    }

    [Test]
    public void TrainedFurtherItSaysSomethingElse()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var full = new FullPass(model);
        using var generator = new Generator(model, new ByteTokenizer());
        IReadOnlyList<int> before = generator.Generate(["x"], s_greedy).Samples[0].TokenIds;
        TinyModels.Write(model, "lm_head.weight", [.. TinyModels.Read(model, "lm_head.weight").Reverse()]);
        IReadOnlyList<int> after = generator.Generate(["x"], s_greedy).Samples[0].TokenIds;
        Assert.That(after, Is.EqualTo(full.Greedy(['x'], 40)).And.Not.EqualTo(before));
    }

    [Test]
    public void WrongUseIsAnError()
    {
        using Transformer model = TinyModels.Random(_backend, TinyModels.Shape);
        using var generator = new Generator(model, new ByteTokenizer());
        Assert.Multiple(() =>
        {
            Assert.That(() => generator.Generate([], s_greedy), Throws.ArgumentException);
            Assert.That(() => generator.Generate(["x"], s_greedy with { TopP = 7 }), Throws.InstanceOf<UserException>().With.Message.Contains("topP"));
            Assert.That(
                () => generator.Require(s_greedy with { Keep = 16 }),
                Throws.InstanceOf<UserException>().With.Message.EqualTo("generation.keep: 16 leaves no room in a context of 16; use at most 15"));
            Assert.That(() => new Generator(model, new ByteTokenizer(documentMarks: true)), Throws.InstanceOf<UserException>().With.Message.Contains("258"));
        });
    }

    private (GeneratedSample Sample, List<string> Pieces) Say(string text, GenerationConfig options)
    {
        // The prompt is BOS alone; the end mark follows the text.
        int[] script = [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b), 257];
        using Transformer model = TinyModels.Scripted(_backend, script, 258);
        using var generator = new Generator(model, new ByteTokenizer(documentMarks: true));
        List<string> pieces = [];
        GeneratedSample sample = generator.Generate([""], options, onText: (_, piece) => pieces.Add(piece)).Samples[0];
        return (sample, pieces);
    }
}
