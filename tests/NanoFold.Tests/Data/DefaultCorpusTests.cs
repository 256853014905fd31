using System.Text;
using NanoFold.Engine.Corpora;
using NanoFold.Tests.Memory;

namespace NanoFold.Tests.Data;

public sealed class DefaultCorpusTests
{
    [Test]
    public void TheInstalledSdkHasAboutElevenMegabytesOfProse()
    {
        Corpus? corpus = DefaultCorpus.Open();
        if (corpus is null)
        {
            Assert.Ignore("there is no .NET SDK with reference documentation on this machine");
            return;
        }

        Assert.That(corpus.Bytes, Is.InRange(4_000_000, 40_000_000));
        Assert.That(corpus.Documents, Has.Count.InRange(1000, 50_000));
        Document list = corpus.Documents.Single(document => document.Name == "System.Collections.Generic.List");
        string text = TextOf(list);
        Assert.Multiple(() =>
        {
            Assert.That(text, Does.StartWith("System.Collections.Generic.List\nRepresents a strongly typed list of objects"));
            Assert.That(text, Does.Contain("\nAddRange(IEnumerable<T>)\nAdds the elements of the specified collection to the end of the List.\n"));
            Assert.That(corpus.Documents.Take(200).Select(TextOf), Has.None.Contains("<see").And.None.Contains("cref="));
        });
    }

    [Test]
    public void WithoutPacksThereIsNone()
    {
        using var folder = new TempFolder();
        Assert.That(DefaultCorpus.Open([folder.Path, folder.At("none")]), Is.Null);
        Directory.CreateDirectory(folder.At("packs"));
        Assert.That(DefaultCorpus.Open([folder.Path]), Is.Null);
    }

    [Test]
    public void TheNewestVersionOfEachPackIsTakenAndEachFileOnce()
    {
        using var folder = new TempFolder();
        folder.Write("packs/Microsoft.NETCore.App.Ref/9.0.10/ref/net9.0/System.A.xml", Xml("T:Old", "Old."));
        folder.Write("packs/Microsoft.NETCore.App.Ref/10.0.2/ref/net10.0/System.A.xml", Xml("T:New", "New."));
        folder.Write("packs/Microsoft.AspNetCore.App.Ref/10.0.2/ref/net10.0/System.A.xml", Xml("T:Copy", "Copy."));
        folder.Write("packs/Microsoft.AspNetCore.App.Ref/10.0.2/ref/net10.0/Web.xml", Xml("T:Web", "Web."));
        folder.Write("packs/Microsoft.NETCore.App.Host.x/10.0.2/ref/net10.0/Host.xml", Xml("T:Host", "Host."));
        Corpus corpus = DefaultCorpus.Open([folder.At("none"), folder.Path])!;
        Assert.That(corpus.IsRead, Is.False);
        Assert.That(corpus.Documents.Select(TextOf), Is.EquivalentTo(new[] { "New\nNew.\n", "Web\nWeb.\n" }));
    }

    [Test]
    public void ProseIsWhatThePagesSay()
    {
        using var folder = new TempFolder();
        string path = folder.Write("a.xml", """
            <?xml version="1.0"?>
            <doc><assembly><name>A</name></assembly><members>
              <member name="T:N.Box`1"><summary>A
                 <see cref="T:N.Box`1" /> of <typeparamref name="T" />; see <see cref="M:N.Box`1.Put(`0)">putting</see>.</summary>
                 <typeparam name="T">What is in it.</typeparam></member>
              <member name="M:N.Box`1.Put(`0,System.Collections.Generic.List{System.Int32[]}@)"><summary>Puts <paramref name="x" /> &amp; returns <see langword="true" />.</summary>
                <param name="x">The thing.</param><returns>Whether it fits.</returns>
                <exception cref="T:System.Exception">Never.</exception>
                <remarks><para>First.</para><para>Second <c>code</c>.</para></remarks></member>
              <member name="M:N.Box`1.#ctor"><summary>Makes one.</summary></member>
              <member name="P:N.Box`1.Size"><value>The size.</value></member>
              <member name="P:N.Other.Size"><value>The size.</value></member>
              <member name="F:N.Other.Empty" />
              <member name="M:N.Other.N#IBox#Take"><inheritdoc /></member>
            </members></doc>
            """);
        var prose = new XmlProse();
        prose.Add(path);
        Assert.That(prose.Types, Is.EqualTo(new[]
        {
            ("N.Box", """
            N.Box
            A Box of T; see putting.
            T: What is in it.

            Put(T, List<Int32[]>)
            Puts x & returns true.
            x: The thing.
            Returns: Whether it fits.
            First.
            Second code.

            Box
            Makes one.

            Size
            Value: The size.

            """.ReplaceLineEndings("\n")),
        }));
    }

    [Test]
    public void ABrokenFileCountsUpToWhereItBreaks()
    {
        using var folder = new TempFolder();
        var prose = new XmlProse();
        prose.Add(folder.Write("a.xml", Xml("T:A", "Said.")[..^16] + "<<<"));
        prose.Add(folder.Write("b.xml", "no xml"));
        prose.Add(folder.Write("c.xml", ""));
        Assert.That(prose.Types, Is.EqualTo(new[] { ("A", "A\nSaid.\n") }));
    }

    [TestCase("T:System.Collections.Generic.List`1", "List")]
    [TestCase("M:System.String.Join``1(System.String,System.Int32)", "String.Join")]
    [TestCase("M:System.String.#ctor(System.Char)", "String")]
    [TestCase("P:System.String.Length", "String.Length")]
    [TestCase("M:A.B.C#D#E(System.Int32)", "B.E")]
    [TestCase("M:A.B.op_Implicit(A.B)~System.Int32", "B.op_Implicit")]
    [TestCase("N:System.Text", "System.Text")]
    [TestCase("plain", "plain")]
    [TestCase("", "")]
    public void ReferencesAreReadable(string id, string name) => Assert.That(MemberNames.Short(id), Is.EqualTo(name));

    private static string Xml(string name, string summary) =>
        $"<doc><members><member name=\"{name}\"><summary>{summary}</summary></member></members></doc>";

    private static string TextOf(Document document)
    {
        byte[] bytes = new byte[document.Bytes];
        document.Read(0, bytes);
        return Encoding.UTF8.GetString(bytes);
    }
}
