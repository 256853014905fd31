using System.Diagnostics;
using System.IO.Compression;
using System.Reflection;
using System.Text;
using NanoFold.Engine.Text;
using NanoFold.Tests.Memory;
using Microsofts = Microsoft.ML.Tokenizers;

namespace NanoFold.Tests.Text;

/// <summary>Microsoft.ML.Tokenizers gives the same ids, where it knows the kind.</summary>
public class MicrosoftTokenizerTests
{
    private static readonly string[] s_texts = [Samples.English, Samples.Chinese, Samples.Mixed, new string('a', 300) + " " + new string(' ', 90), "x\r\n\r\n  1234567 it'S"];

    [Test]
    public void ATokenizerWithTheRanksOfGpt4()
    {
        using var folder = new TempFolder();
        folder.Write("cl100k_base.tiktoken", Encoding.ASCII.GetBytes(Ranks()));
        Tokenizer own = Tokenizer.Load(folder.Path);
        Microsofts.Tokenizer other = Microsofts.TiktokenTokenizer.CreateForEncoding("cl100k_base");
        Assert.That((own.Vocab, own.Eos), Is.EqualTo((100277, (int?)100257)));
        var random = new Random(8);
        foreach (string text in s_texts.Concat(Enumerable.Range(0, 40).Select(_ => Samples.RandomText(random, 60))))
        {
            int[] ids = own.Encode(text);
            Assert.That(ids, Is.EqualTo(other.EncodeToIds(text)), text);
            Assert.That(own.DecodeText(ids), Is.EqualTo(text));
        }
    }

    /// <summary>Rates in turn, on one thread; prints them. Disturbances only ever slow one down, so that the best round of each counts.</summary>
    [Test]
    [Category("Long")]
    public void EncodingIsFasterThanMicrosofts()
    {
        using var folder = new TempFolder();
        folder.Write("cl100k_base.tiktoken", Encoding.ASCII.GetBytes(Ranks()));
        string english = File.ReadAllText(SharedData.Path("tinyshakespeare.txt"))[..500_000];
        var random = new Random(3);
        char[] characters = [.. Samples.Chinese.Where(character => character > 0x2000)];
        string chinese = new([.. Enumerable.Range(0, 100_000).Select(_ => characters[random.Next(characters.Length)])]);
        foreach ((string name, string text) in ((string, string)[])[("English", english), ("Chinese", chinese)])
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            double own = 0, others = 0;
            var ids = new List<int>(utf8.Length);
            for (int round = 0; round < 6; round++)
            {
                // Both made anew: neither has seen a piece.
                Tokenizer tokenizer = Tokenizer.Load(folder.Path);
                Microsofts.Tokenizer other = Microsofts.TiktokenTokenizer.CreateForEncoding("cl100k_base");
                ids.Clear();
                own = Math.Max(own, Rate(() => tokenizer.Encode(utf8, ids)));
                others = Math.Max(others, Rate(() => other.EncodeToIds(text)));
            }

            TestContext.Out.WriteLine($"{name}: {own / 1e6:0.0} MB/s, Microsoft.ML.Tokenizers {others / 1e6:0.0} MB/s, {own / others:0.00} times");
            Assert.That(own, Is.GreaterThan(others), name);

            double Rate(Action encode)
            {
                long started = Stopwatch.GetTimestamp();
                encode();
                return utf8.Length / Stopwatch.GetElapsedTime(started).TotalSeconds;
            }
        }
    }

    [Test]
    public void ASentencePieceModelThatIsWrittenHere()
    {
        var own = (SentencePieceTokenizer)Tokenizer.Load(SharedData.Path("stories260K-tok512.bin"));
        using var file = new MemoryStream(SentencePieceFile.Write(own.Model));
        Microsofts.Tokenizer other = Microsofts.LlamaTokenizer.Create(file, addBeginOfSentence: false, addEndOfSentence: false);
        foreach (string text in (string[])["Once upon a time, there was a little girl named Lily.", "a  b\nc", "naïve 中文 😀"])
        {
            Assert.That(own.Encode(text), Is.EqualTo(other.EncodeToIds(text)), text);
        }
    }

    // Their file has the tokens alone, in the order of their ids, after a line that counts them.
    private static string Ranks()
    {
        Assembly data = Assembly.Load("Microsoft.ML.Tokenizers.Data.Cl100kBase");
        string name = data.GetManifestResourceNames().Single(resource => resource.Contains("tiktoken", StringComparison.Ordinal));
        using var reader = new StreamReader(new DeflateStream(data.GetManifestResourceStream(name)!, CompressionMode.Decompress));
        IEnumerable<string> tokens = reader.ReadToEnd().Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0 && !line.StartsWith("Capacity", StringComparison.Ordinal));
        return string.Concat(tokens.Select((token, id) => $"{token} {id}\n"));
    }
}
