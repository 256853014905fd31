using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Tests.Text;
using NanoFold.Tests.Suites.Published;

namespace NanoFold.Tests.Interchange.Gguf;

/// <summary>What is wrong with a GGUF file, in one line that names the file and what it is.</summary>
public class GgufFaultTests
{
    private const string Damaged = "peers/gguf/bad";

    private TemporaryFolder _folder = null!;

    private static IEnumerable<string> Cases => SharedData.Find($"{Damaged}/bad.tsv") is { } list ? File.ReadLines(list).Skip(1).Select(line => line.Split('\t')[0]) : ["none"];

    private static IEnumerable<TestCaseData> Metadata =>
    [
        Case(file => file.Text("general.architecture", "wombat"), "general.architecture = \"wombat\": is not supported; those that are: llama, "),
        Case(file => file.Number("llama.attention.head_count", 3u), "llama.attention.head_count = 3: does not divide the width 8"),
        Case(file => file.Number("llama.attention.layer_norm_rms_epsilon", float.NaN), "llama.attention.layer_norm_rms_epsilon = NaN: is not finite"),
        Case(file => file.Number("llama.block_count", uint.MaxValue), "llama.block_count = 4294967295: expected 1 to 4096"),
        Case(file => file.Number("llama.block_count", 2u), "'blk.1.attn_norm.weight' is missing"),
        Case(file => file.Number("llama.block_count", 900u), "llama.block_count is 900, and there are only 12 tensors"),
        Case(file => file.Number("llama.embedding_length", 16u), "token_embd.weight F32 [258, 8] has rows of 8, where llama.embedding_length is 16"),
        Case(file => file.Number("llama.logit_scale", 0.5f), "llama.logit_scale = 0.5: would change the numbers, and is not supported in architecture llama"),
        Case(file => file.Text("llama.rope.scaling.type", "tomorrow"), "llama.rope.scaling.type = \"tomorrow\": is not supported"),
        Case(file => file.Number("split.count", 3u), "split.count = 3: a model in several files is not supported; join them first"),
        Case(file => file.Without("llama.context_length"), "has no llama.context_length, which the model needs"),
        Case(file => file.Text("llama.context_length", "32"), "llama.context_length = \"32\": expected a whole number"),
        Case(file => file.Number("llama.vocab_size", 259u), "llama.vocab_size = 259: the embedding has 258 rows"),
        Case(file => file.Without("blk.0.ffn_down.weight"), "'blk.0.ffn_down.weight' is missing"),
        Case(file => file.Reals("blk.0.ffn_other.weight", [8]), "holds 'blk.0.ffn_other.weight', which the model of its configuration does not have"),
        Case(file => file.Without("output.weight").Tensor("output.weight", [258, 8], 24, new byte[258 * 8]), "'output.weight' is of type I8, which is not supported; those that are: F32, F16, Q4_0"),
        Case(file => file.Texts("tokenizer.ggml.tokens", "a"), "tokenizer.ggml.tokens = 1 of String: the embedding has 258 rows"),
        Case(file => file.Text("tokenizer.ggml.model", "xyz"), "tokenizer.ggml.model = \"xyz\": is no kind of tokenizer that is known"),
        Case(file => file.Number("tokenizer.ggml.eos_token_id", 258u), "tokenizer.ggml.eos_token_id = 258: is none of 258 tokens"),
        Case(file => file.Text("tokenizer.ggml.pre", "tomorrow"), "tokenizer.ggml.pre 'tomorrow' is not supported: how texts are cut is not known"),
    ];

    private static TestCaseData Case(Action<GgufBuilder> change, string expected) => new TestCaseData(change, expected).SetArgDisplayNames(expected);

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    /// <summary>Files that other readers crash on are among them.</summary>
    [Category("Published")]
    [TestCaseSource(nameof(Cases))]
    public void DamagedFilesOfLlamaCppAreRefused(string name)
    {
        string path = Path.Combine(SharedData.Path(Damaged), name);
        if (name == "good.gguf")
        {
            using ForeignModel model = ForeignModel.TryOpen(path)!;
            Assert.That((model.Tokenizer!.Vocab, model.Config.Layers), Is.EqualTo((8, 1)));
            Told("opens");
            return;
        }

        string message = Message(path)!;
        TestContext.Out.WriteLine(message);
        Assert.That(message, Does.StartWith(path).And.Length.LessThan(path.Length + 500));
        Told("refused in one line");

        void Told(string what)
        {
            var agreement = new CaseAgreement("gguf", $"bad/{name}");
            agreement.Same(what);
            agreement.Record();
        }
    }

    [TestCaseSource(nameof(Metadata))]
    public void WhatIsWrongIsNamed(object change, string expected)
    {
        GgufBuilder file = GgufBuilder.Llama();
        ((Action<GgufBuilder>)change)(file);
        string path = file.Save(_folder["model.gguf"]);
        Assert.That(Message(path), Does.Contain(expected).And.StartWith(path));
    }

    [Test]
    public void DamagedFilesAreClearFaults() => Damage(150);

    [Test]
    [Category("Long")]
    public void TenThousandDamagedFilesAreClearFaults() => Damage(10_000);

    // What is wrong: when it is opened, when its tokenizer is made, or when its values are read. Null where nothing is.
    private static string? Message(string path)
    {
        try
        {
            using ForeignModel model = ForeignModel.TryOpen(path)!;
            _ = model.Tokenizer;
            foreach (WeightInfo weight in model.Weights.All)
            {
                model.Weights.Read(weight.Name, new float[weight.Count]);
            }

            return null;
        }
        catch (UserException e)
        {
            return e.Message;
        }
    }

    // Each is a fault of the file or a model that can be read; nothing else, and nothing that takes more memory than the file in proportion.
    private void Damage(int count)
    {
        byte[] sound = GgufBuilder.Llama().ToBytes();
        string path = _folder["model.gguf"];
        int head = sound.AsSpan().LastIndexOf("blk.0.ffn_down.weight"u8) + 64, read = 0;
        var random = new Random(15);
        long most = 0;
        File.WriteAllBytes(path, sound);
        Assert.That(Message(path), Is.Null);
        for (int i = 0; i < count; i++)
        {
            File.WriteAllBytes(path, [.. Mutation.Of(sound[..head], random), .. sound[head..]]);
            long before = GC.GetAllocatedBytesForCurrentThread();
            string? message = Message(path);
            most = Math.Max(most, GC.GetAllocatedBytesForCurrentThread() - before);
            read += message is null ? 1 : 0;
            Assert.That(message, Is.Null.Or.Not.Contain("\n"));
        }

        TestContext.Out.WriteLine($"{read} of {count} can be read; at most {most} bytes for {sound.Length}");
        Assert.That(read, Is.InRange(1, count - (count / 3)));
        Assert.That(most, Is.LessThan(4 << 20));
    }
}
