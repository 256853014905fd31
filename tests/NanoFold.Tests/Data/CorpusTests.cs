using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Data;

public sealed class CorpusTests
{
    [Test]
    public void AFileIsOneDocument()
    {
        using var folder = new TempFolder();
        string path = folder.Write("a.txt", "床前明月光");
        Corpus corpus = Corpus.Open(path);
        Assert.That(corpus.IsRead, Is.False, "opening reads nothing");
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "床前明月光" }));
        Assert.That((corpus.Name, corpus.Bytes, corpus.Documents[0].Name), Is.EqualTo((path, 15L, path)));
    }

    [Test]
    public void AFolderIsItsTextFilesInOneOrder()
    {
        using var folder = new TempFolder();
        folder.Write("b.txt", "2");
        folder.Write("a/z.md", "1");
        folder.Write("a.txt", "0");
        folder.Write("c/d/e.txt", "3");
        folder.Write("empty.txt", "");
        folder.Write("image.png", [0x89, 0x50, 0, 0, 1]);
        folder.Write(".hidden", "no");
        folder.Write(".git/config", "no");
        Assert.That(Texts(Corpus.Open(folder.Path)), Is.EqualTo(new[] { "0", "1", "2", "3" }));
    }

    [TestCase("*.txt", "a.txt b.txt")]
    [TestCase("?.md", "c.md")]
    [TestCase("*/*.txt", "d/a.txt")]
    [TestCase("**/*.txt", "a.txt b.txt d/a.txt d/e/f.txt")]
    [TestCase("d/**", "d/a.txt d/e/f.txt")]
    [TestCase("d/*/f.*", "d/e/f.txt")]
    public void APatternIsTheFilesThatFit(string pattern, string names)
    {
        using var folder = new TempFolder();
        foreach (string name in (string[])["b.txt", "a.txt", "c.md", "d/a.txt", "d/e/f.txt"])
        {
            folder.Write(name, name);
        }

        Assert.That(string.Join(' ', Texts(Corpus.Open(folder.Path + "/" + pattern))), Is.EqualTo(names));
    }

    [Test]
    public void AByteOrderMarkIsNoText()
    {
        using var folder = new TempFolder();
        Corpus corpus = Corpus.Open(folder.Write("a.txt", [0xEF, 0xBB, 0xBF, .. "abc"u8]));
        Assert.That(Texts(corpus), Is.EqualTo(new[] { "abc" }));
        Assert.That(corpus.Hash, Is.EqualTo(Corpus.FromText("x", "abc").Hash));
    }

    private static IEnumerable<TestCaseData> Bad()
    {
        yield return new TestCaseData((byte[])[], "is empty: name a file with text").SetArgDisplayNames("empty");
        yield return new TestCaseData((byte[])[0xEF, 0xBB, 0xBF], "is empty: name a file with text").SetArgDisplayNames("mark");
        yield return new TestCaseData((byte[])[.. "ELF"u8, 0, 1], "is not text (a NUL byte at 3): name a text file").SetArgDisplayNames("nul");
        yield return new TestCaseData(Encoding.Unicode.GetPreamble().Concat("ab"u8.ToArray()).ToArray(), "is UTF-16: convert it to UTF-8").SetArgDisplayNames("utf16");
        yield return new TestCaseData(Enumerable.Repeat((byte)0xC3, 300).ToArray(), "is not UTF-8 text: convert it to UTF-8").SetArgDisplayNames("invalid");
    }

    [TestCaseSource(nameof(Bad))]
    public void AFileThatIsNoTextIsOneLine(byte[] content, string message)
    {
        using var folder = new TempFolder();
        string path = folder.Write("bad.txt", content);
        Assert.That(
            () => Corpus.Open(path).Documents,
            Throws.TypeOf<UserException>().With.Message.Contains(message).And.Message.StartsWith(path).And.Message.Not.Contains("\n"));
    }

    [TestCase("none.txt")]
    [TestCase("none/*.txt")]
    [TestCase("*.none")]
    [TestCase(".")]
    public void NothingThereIsOneLine(string name)
    {
        using var folder = new TempFolder();
        string path = folder.At(name);
        Assert.That(() => Corpus.Open(path), Throws.TypeOf<UserException>().With.Message.StartsWith(path + ": there is no such file"));
    }

    [Test]
    public void ANulByteFarBehindIsFoundByTheHash()
    {
        using var folder = new TempFolder();
        byte[] content = new byte[400_000];
        Array.Fill(content, (byte)'a');
        content[300_001] = 0;
        Corpus corpus = Corpus.Open(folder.Write("a.txt", content));
        Assert.That(() => corpus.Hash, Throws.TypeOf<UserException>().With.Message.Contains("a NUL byte at 300001"));
    }

    [Test]
    public void AFewInvalidBytesAreKept()
    {
        using var folder = new TempFolder();
        byte[] latin = [.. Encoding.Latin1.GetBytes("un été à la plage avec les autres enfants de la ville")];
        Corpus corpus = Corpus.Open(folder.Write("a.txt", latin));
        byte[] read = new byte[corpus.Bytes];
        corpus.Documents[0].Read(0, read);
        Assert.That(read, Is.EqualTo(latin));
    }

    [Test]
    public void TheHashIsOfContentAndWhereDocumentsEnd()
    {
        using var folder = new TempFolder();
        folder.Write("a.txt", "ab");
        folder.Write("b.txt", "c");
        string hash = Corpus.Open(folder.Path).Hash;
        Assert.That(hash, Is.EqualTo(Corpus.FromText("other", "ab", "", "c").Hash).And.Length.EqualTo(64));
        Assert.That(Corpus.FromText("x", "a", "bc").Hash, Is.Not.EqualTo(hash));
        Assert.That(Corpus.FromText("x", "abc").Hash, Is.Not.EqualTo(hash));
    }

    [Test]
    public void AFileThatShrankIsOneLine()
    {
        using var folder = new TempFolder();
        Corpus corpus = Corpus.Open(folder.Write("a.txt", "abcdef"));
        Assert.That(corpus.Documents, Has.Count.EqualTo(1));
        folder.Write("a.txt", "abc");
        Assert.That(() => corpus.Hash, Throws.TypeOf<UserException>().With.Message.Contains("while it was read"));
        Assert.That(corpus.CheckUnchanged, Throws.TypeOf<UserException>().With.Message.Contains("changed"));
    }

    [Test]
    public void WithoutAPathItIsTheDefault()
    {
        using var folder = new TempFolder();
        string path = folder.Write("a.txt", "abc");
        Assert.That(Corpus.OpenOrDefault(path).Name, Is.EqualTo(path));
        if (DefaultCorpus.Open() is null)
        {
            Assert.That(() => Corpus.OpenOrDefault(null), Throws.TypeOf<UserException>().With.Message.Contains("--data"));
        }
        else
        {
            Assert.That(Corpus.OpenOrDefault(null).Name, Is.EqualTo(DefaultCorpus.Name));
        }
    }

    [Test]
    public void TextInMemoryMustNotBeEmpty()
    {
        Assert.That(() => Corpus.FromText("mine", ""), Throws.TypeOf<UserException>().With.Message.Contains("mine: is empty"));
    }

    private static string[] Texts(Corpus corpus) => [.. corpus.Documents.Select(document =>
    {
        byte[] bytes = new byte[document.Bytes];
        document.Read(0, bytes);
        return Encoding.UTF8.GetString(bytes);
    })];
}
