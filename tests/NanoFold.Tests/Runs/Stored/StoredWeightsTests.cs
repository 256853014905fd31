using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Interchange;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Memory;
using NanoFold.Tests.Cli;
using NanoFold.Tests.Interchange;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Runs.Stored;

/// <summary>Models whose weights are used as they are in their files, or rounded when they are read.</summary>
[NonParallelizable]
public class StoredWeightsTests : EngineTests
{
    private const string Down = "model.layers.1.mlp.down_proj.weight", Query = "model.layers.0.self_attn.q_proj.weight", Embedding = "model.embed_tokens.weight", Norm = "model.norm.weight";

    private static readonly int[] s_text = [.. Enumerable.Range(0, 85).Select(i => i * 37 % 256)];

    private TemporaryFolder _folder = null!;

    private string Source => _folder["source"];

    [OneTimeSetUp]
    public void Write()
    {
        _folder = new TemporaryFolder();
        JsonObject keys = ForeignFolders.Llama;
        (keys["hidden_size"], keys["intermediate_size"], keys["max_position_embeddings"]) = (128, 160, 128);
        ForeignFolders.Write(Source, keys);
    }

    [OneTimeTearDown]
    public void Delete() => _folder.Dispose();

    [TestCase("huggingface", "f32", DType.Float32)]
    [TestCase("huggingface", "f16", DType.Float16)]
    [TestCase("huggingface", "bf16", DType.BFloat16)]
    [TestCase("gguf", "f32", DType.Float32)]
    [TestCase("gguf", "f16", DType.Float16)]
    [TestCase("gguf", "q8_0", DType.Q8_0)]
    [TestCase("llama2.c", "f32", DType.Float32)]
    public void WeightsAsTheyAreInAFileGiveTheBitsOfWidenedOnes(string format, string type, DType held)
    {
        string path = Exported(format, type);
        using Opened wide = Open(path, WeightStorage.Float32), stored = Open(path, WeightStorage.AsStored);
        ParameterStore store = stored.Model.Store;
        Assert.That((store[Down].Type, store[Embedding].Type, store[Norm].Type), Is.EqualTo((held, held, DType.Float32)));
        // llama.cpp has the rows of queries in another order, so that they are copied; those of other types with them.
        Assert.That(store[Query].Type, Is.EqualTo(held));
        Assert.That(store.HeldBytes, Is.EqualTo(store.Parameters.Where(p => p.Held is not null).Sum(p => p.Type.Bytes(p.Layout.Count))));
        Assert.That(store.Count, Is.EqualTo(store.Parameters.Where(p => p.Held is null).Sum(p => p.Layout.Count)), "what is held is not trained");
        Numbers.AssertSameBits(Host.Read(store, store[Down]), Host.Read(wide.Model.Store, wide.Model.Store[Down]), Down);
        Same(stored.Model, wide.Model);
        Assert.That(() => store.Fill(new SeedSource(1)), Throws.InvalidOperationException);
        Assert.That(DecodeCost.BytesPerToken(stored.Model, 8, 1), held == DType.Float32 ? Is.EqualTo(DecodeCost.BytesPerToken(wide.Model, 8, 1)) : Is.LessThan(DecodeCost.BytesPerToken(wide.Model, 8, 1) * 0.6));
    }

    [TestCase(WeightStorage.Float16, DType.Float16)]
    [TestCase(WeightStorage.BFloat16, DType.BFloat16)]
    [TestCase(WeightStorage.Q8_0, DType.Q8_0)]
    public void RoundedWeightsGiveTheBitsOfTheRoundedValues(WeightStorage storage, DType type)
    {
        using Opened wide = Open(Source, WeightStorage.Float32), rounded = Open(Source, storage);
        using var copied = new Transformer(rounded.Model.Config, Backend(), new StoreSource(rounded.Model.Store), trains: null);
        Assert.That(rounded.Model.Store.Parameters.Where(p => p.Layout.Rank > 1).Select(p => p.Type), Is.All.EqualTo(type));
        float[] values = Array.ConvertAll(Host.Read(wide.Model.Store, wide.Model.Store[Down]), v => (float)v), back = new float[values.Length];
        byte[] bytes = new byte[type.Bytes(values.Length)];
        Assert.That(StoredValues.TryNarrow(type, values, bytes));
        StoredValues.Widen(type, bytes, back);
        Assert.That(Host.Read(copied.Store, copied.Store[Down]), Is.EqualTo(Array.ConvertAll(back, v => (double)v)));
        Same(rounded.Model, copied);
    }

    [Test]
    public void SmallFilesAndWhatIsNotAMatrixAreCopied()
    {
        using TrainedModel model = TrainedModel.Load(Exported("gguf", "q8_0"), Backend(), storage: WeightStorage.AsStored);
        Assert.That(model.Model.Store.Parameters.Select(p => p.Type), Is.All.EqualTo(DType.Float32));
        using Opened single = Open(Source, WeightStorage.AsStored);
        Assert.That((single.Model.Store[Down].Held, single.Model.Store[Norm].Held, single.Model.Store["model.layers.0.self_attn.k_proj.weight"].Held), Is.EqualTo(((HeldValues?)single.Model.Store[Down].Held, (HeldValues?)null, (HeldValues?)null)));
    }

    [Test]
    public void AFileMayBeReplacedWhileItIsInUseAndIsNeverWritten()
    {
        string path = _folder["replaced"], weights = Path.Combine(path, ModelFile.Name);
        ForeignFolders.Write(path, JsonNode.Parse(File.ReadAllText(Path.Combine(Source, "config.json")))!.AsObject());
        byte[] before = File.ReadAllBytes(weights);
        using Opened stored = Open(path, WeightStorage.AsStored), wide = Open(path, WeightStorage.Float32);
        View down = stored.Model.Store.Values(stored.Model.Store[Down]);
        float[] first = new float[1];
        stored.Model.Backend.Download(down.With(Layout.Of(1)), first.AsSpan());
        stored.Model.Backend.Upload<float>([first[0] + 1], down.With(Layout.Of(1)));
        Assert.That(File.ReadAllBytes(weights), Is.EqualTo(before));
        stored.Model.Backend.Upload<float>(first, down.With(Layout.Of(1)));
        File.WriteAllText(_folder["new"], "something else");
        File.Move(_folder["new"], weights, overwrite: true);
        Same(stored.Model, wide.Model);
    }

    [Test]
    public void WhatCannotBeUsedIsRefusedInALine()
    {
        const string Theirs = "model.layers.1.mlp.down_proj.weight";
        string large = ForeignFolders.Write(_folder["large"], Keys(), tensors: stored => stored[Theirs].Values[3] = 1e6f);
        string damaged = ForeignFolders.Write(_folder["damaged"], Keys(), tensors: stored => stored[Theirs].Values[3] = float.NaN);
        Assert.That(() => Open(large, WeightStorage.Float16), Throws.TypeOf<UserException>().With.Message.EqualTo($"{large}: '{Down}' has values too large for half precision; take --weights bf16"));
        Open(large, WeightStorage.BFloat16).Dispose();
        foreach (WeightStorage storage in Enum.GetValues<WeightStorage>())
        {
            Assert.That(() => Open(damaged, storage), Throws.TypeOf<UserException>().With.Message.EqualTo($"{damaged}: '{Down}' has values that are not finite"), $"{storage}");
        }

        string blocks = _folder["damaged.gguf"];
        byte[] bytes = File.ReadAllBytes(Exported("gguf", "q8_0"));
        using (Opened sound = Open(Exported("gguf", "q8_0"), WeightStorage.AsStored))
        {
            byte[] down = ((NativeBuffer)sound.Model.Store[Down].Held!.Buffer).Span<byte>().ToArray();
            int at = bytes.AsSpan().IndexOf(down);
            (bytes[at + 34], bytes[at + 35]) = (0, 0x7C);
        }

        File.WriteAllBytes(blocks, bytes);
        Assert.That(() => Open(blocks, WeightStorage.AsStored), Throws.TypeOf<UserException>().With.Message.EqualTo($"{blocks}: '{Down}' has values that are not finite"));
        JsonObject Keys() => JsonNode.Parse(File.ReadAllText(Path.Combine(Source, "config.json")))!.AsObject();
    }

    [Test]
    public void TheCommandLineTakesThem()
    {
        string model = ForeignFolders.WithTokenizer(Source);
        JsonObject Generated(string weights) => CommandLine.Json("generate", "--model", model, "--prompt", "abc", "--max-tokens", "8", "--temperature", "0", "--weights", weights, "--threads", "1");
        Assert.That(Generated("auto")["samples"]!.ToJsonString(), Is.EqualTo(Generated("f32")["samples"]!.ToJsonString()));
        CommandLine run = CommandLine.Run("generate", "--model", model, "--weights", "q4_0");
        Assert.That((run.Code, run.ErrorLines[0]), Is.EqualTo((2, "nanofold: --weights: expected auto, f32, f16, bf16, q8_0, not 'q4_0'")));
        JsonObject result = CommandLine.Json("bench", "weights", "--model", model, "--weights", "f32,q8_0", "--prompt-tokens", "2", "--tokens", "2", "--threads", "1");
        JsonObject[] rows = [.. result["weights"]!.AsArray().Select(row => row!.AsObject())];
        Assert.That(rows.Select(row => (string)row["weights"]!), Is.EqualTo(new[] { "f32", "q8_0" }));
        Assert.That((long)rows[1]["weightBytes"]!, Is.LessThan((long)rows[0]["weightBytes"]! * 0.4));
        Assert.That((long)rows[1]["types"]!["q8_0"]!, Is.EqualTo(2 * 32768 + 2 * ((2 * 128 * 128) + (2 * 64 * 128) + (3 * 128 * 160))));
    }

    [Test]
    public void TheCommandLineRoundsActivationsWhereThatMakesADifference()
    {
        string model = ForeignFolders.WithTokenizer(Source);
        JsonObject Loss(string weights, string activations) =>
            CommandLine.Json("eval", "--model", model, "--data", Path.Combine(model, "config.json"), "--weights", weights, "--activations", activations, "--threads", "1");
        double exact = (double)Loss("q8_0", "f32")["loss"]!, rounded = (double)Loss("q8_0", "int8")["loss"]!;
        Assert.That(rounded, Is.Not.EqualTo(exact).And.EqualTo(exact).Within(0.05));
        string[] Written(int samples) =>
        [
            .. CommandLine.Json("generate", "--model", model, "--prompt", "abc", "--samples", $"{samples}", "--max-tokens", "8", "--seed", "1", "--weights", "q8_0", "--activations", "int8")["samples"]!.AsArray()
                .Select(sample => sample!["tokenIds"]!.ToJsonString()),
        ];
        Assert.That(Written(3)[0], Is.EqualTo(Written(1)[0]), "whatever is written beside it");
        CommandLine none = CommandLine.Run("generate", "--model", model, "--activations", "int8"), unknown = CommandLine.Run("generate", "--model", model, "--activations", "int4");
        Assert.That((none.Code, none.ErrorLines[0]), Is.EqualTo((1, $"nanofold: --activations: {model} has no matrices of Q8_0, Q4_0 or Q4_1 in memory; leave it out, or add --weights q8_0")));
        Assert.That((unknown.Code, unknown.ErrorLines[0]), Is.EqualTo((2, "nanofold: --activations: expected f32, int8, not 'int4'")));
        JsonObject result = CommandLine.Json("bench", "weights", "--model", model, "--weights", "f32,q8_0", "--activations", "f32,int8", "--prompt-tokens", "2", "--tokens", "2", "--threads", "1");
        Assert.That(result["weights"]!.AsArray().Select(row => $"{row!["weights"]} {row["activations"]}"), Is.EqualTo(new[] { "f32 f32", "q8_0 f32", "q8_0 int8" }));
    }

    [Test]
    public void TheCommandLineKeepsKeysAndValuesIn16Bits()
    {
        string model = ForeignFolders.WithTokenizer(Source);
        string Written(string type) => CommandLine.Json("generate", "--model", model, "--prompt", "abc", "--max-tokens", "8", "--temperature", "0", "--kv-cache", type)["samples"]![0]!["tokenIds"]!.ToJsonString();
        Assert.That(Written("f16"), Is.EqualTo(Written("f32")), "they are that near");
        JsonObject streams = CommandLine.Json("bench", "streams", "--model", model, "--streams", "1,2", "--prompt-tokens", "2", "--tokens", "2", "--threads", "1", "--kv-cache", "bf16");
        Assert.That(streams["cases"]!.AsArray(), Has.Count.EqualTo(2));
        CommandLine unknown = CommandLine.Run("generate", "--model", model, "--kv-cache", "q8");
        Assert.That((unknown.Code, unknown.ErrorLines[0]), Is.EqualTo((2, "nanofold: --kv-cache: expected f32, bf16, f16, not 'q8'")));
        CommandLine none = CommandLine.Run("bench", "streams", "--preset", "nano", "--set", "model.mixer=rwkv4", "--set", "tokenizer=byte", "--streams", "1", "--kv-cache", "bf16");
        Assert.That((none.Code, none.ErrorLines[0]), Is.EqualTo((1, "nanofold: --kv-cache: this model has no layers that keep keys and values which can be rounded; leave it out")));
    }

    private string Exported(string format, string type)
    {
        string path = _folder[$"{format}-{type}"];
        if (!Path.Exists(path))
        {
            string source = _folder["plain"];
            if (!Directory.Exists(source))
            {
                // What llama2.c can say.
                JsonObject keys = JsonNode.Parse(File.ReadAllText(Path.Combine(Source, "config.json")))!.AsObject();
                keys["rope_theta"] = 10000.0;
                ForeignFolders.Write(source, keys);
            }

            CommandLine.Json("export", "--model", source, "--format", format, "--type", type, "--out", path);
        }

        return path;
    }

    private Opened Open(string path, WeightStorage storage)
    {
        SavedModel saved = SavedModel.Open(path);
        using SourceInFiles source = saved.Values.Open(Backend(), storage, leastFileBytes: 0);
        return new Opened(new Transformer(saved.Config.Model, Backend(), source, trains: null));
    }

    // Prompts of 64, 8 and 1 tokens at a time, and the loss, which never has all logits.
    private static void Same(Transformer model, Transformer expected)
    {
        Assert.That(Logits(model), Is.EqualTo(Logits(expected)));
        Numbers.AssertSameBits(Losses(model), Losses(expected), "losses");
    }

    private static List<float> Logits(Transformer model)
    {
        using var decoder = new Decoder(model, 1);
        decoder.Begin(0, s_text);
        List<float> all = [];
        float[] row = new float[model.Config.Vocab];
        for (int i = 0; i < 3; i++)
        {
            while (!decoder.HasLogits(0))
            {
                decoder.Run();
            }

            decoder.ReadLogits(0, row);
            all.AddRange(row);
            decoder.Append(0, Array.IndexOf(row, row.Max()));
        }

        return all;
    }

    private static double[] Losses(Transformer model)
    {
        List<IDisposable> owned = [];
        try
        {
            var tape = new Tape(model.Backend);
            tape.State.Set(StepSlot.TargetCount, 31);
            Tensor Tokens(int start) => tape.External("tokens", Host.New(model.Backend, [1, 31], s_text[start..(start + 31)], owned));
            Tensor losses = model.RecordLoss(tape, Tokens(0), Tokens(1)).Losses;
            tape.Keep(losses);
            var plan = new Plan(tape);
            DeviceBuffer arena = model.Backend.Allocate(plan.ArenaBytes);
            owned.Add(arena);
            plan.Bind(arena);
            plan.Run();
            return Host.Read(model.Backend, plan[losses]);
        }
        finally
        {
            owned.ForEach(one => one.Dispose());
        }
    }

    private sealed record Opened(Transformer Model) : IDisposable
    {
        public void Dispose() => Model.Dispose();
    }
}
