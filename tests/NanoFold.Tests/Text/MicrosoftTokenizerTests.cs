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
