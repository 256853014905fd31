using System.Text;
using FsCheck;
using FsCheck.Fluent;
using NanoFold.Engine.Runs.Compression;
using NanoFold.Engine.Text;

namespace NanoFold.Tests.Runs.Compression;

/// <summary>Whatever a tokenizer does to a text, the symbols are the bytes.</summary>
public class LosslessTokensTests
{
    private static readonly FsCheck.Config s_check = FsCheck.Config.QuickThrowOnFailure.WithMaxTest(100).WithReplay(7, 43);

    // Lower case only, and no token for most bytes.
    private const string Lowercase = """
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":0,"content":"[UNK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
        "normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
        "model":{"type":"BPE","dropout":null,"unk_token":"[UNK]","continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,
        "vocab":{"[UNK]":0,"a":1,"b":2,"c":3,"d":4,"e":5," ":6,"ab":7},"merges":["a b"]}}
        """;

    private const string Folder = "peers/tokenizers";

    private static IEnumerable<string> Published => SharedData.Find(Folder) is { } folder
        ? SharedData.Cases(Folder).Where(name => File.Exists(Path.Combine(folder, name, "cases.jsonl")))
        : ["none"];

    private static IEnumerable<TestCaseData> Tokenizers()
    {
        yield return Case("bytes", () => new ByteTokenizer());
        yield return Case("bpe", Learned);
        yield return Case("lower case without most bytes", () => Tokenizer.Parse(Encoding.UTF8.GetBytes(Lowercase), "lower case"));
        yield return Case("llama2.c", () => Tokenizer.Load(SharedData.Path("stories260K-tok512.bin")));

        static TestCaseData Case(string name, Func<Tokenizer> open) => new TestCaseData(open).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Tokenizers))]
    public void SymbolsAreTheBytes(Func<Tokenizer> open)
    {
        Tokenizer tokenizer = open();
        var tokens = new LosslessTokens(tokenizer);
        foreach (string text in (string[])["", "a", " a", "the cat sat", "  two spaces ", "Ab BA\nnew LINE\n\n", "苹果 and ÿ\u0000", new string('x', 300), string.Concat(Enumerable.Repeat("ab Cd é\n", 9000))])
        {
            RoundTrip(tokens, tokenizer, Encoding.UTF8.GetBytes(text));
        }

        Prop.ForAll(ArbMap.Default.GeneratorFor<byte[]>().ToArbitrary(), bytes => RoundTrip(tokens, tokenizer, bytes)).Check(s_check);
    }

    [TestCaseSource(nameof(Published))]
    [Category("Long")]
    public void SymbolsOfPublishedTokenizersAreTheBytes(string name)
    {
        Tokenizer tokenizer = Tokenizer.Load(SharedData.Path($"{Folder}/{name}"));
        var tokens = new LosslessTokens(tokenizer);
        var random = new Random(3);
        byte[] any = new byte[500];
        random.NextBytes(any);
        RoundTrip(tokens, tokenizer, any);
        RoundTrip(tokens, tokenizer, Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("The CAT sat; 苹果 1234 \t\r\n ﬁne naïve e\u0301 [CLS] <s></s> 👩‍👩‍👧 ", 30))));
    }

    [Test]
    public void TextIsTheTokenizersTokens()
    {
        Tokenizer tokenizer = Tokenizer.Load(SharedData.Path("stories260K-tok512.bin"));
        byte[] text = Encoding.UTF8.GetBytes("Once upon a time, there was a little girl named Lily.");
        var symbols = new List<int>();
        Assert.That(new LosslessTokens(tokenizer).Encode(text, symbols), Is.EqualTo(1), "it sets a space before a text");
        Assert.That(symbols, Is.EqualTo(tokenizer.Encode(text)));
    }

    private static Tokenizer Learned()
    {
        var trainer = new BpeTrainer();
        trainer.Add("the cat sat on the mat. the cat the cat"u8);
        return trainer.Train(280);
    }

    private static void RoundTrip(LosslessTokens tokens, Tokenizer tokenizer, byte[] bytes)
    {
        var symbols = new List<int>();
        int before = tokens.Encode(bytes, symbols);
        byte[] back = [.. symbols.SelectMany(symbol => symbol < 0 ? [(byte)LosslessTokens.Raw(symbol)] : tokenizer.BytesOf(symbol).ToArray()).Skip(before)];
        Assert.That(back.AsSpan().SequenceEqual(bytes), Is.True, Convert.ToHexString(bytes));
        Assert.That(symbols.Where(symbol => symbol >= 0).All(symbol => tokenizer.BytesOf(symbol).Length > 0), Is.True);
    }
}
