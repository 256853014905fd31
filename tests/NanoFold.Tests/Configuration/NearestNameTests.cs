using NanoFold.Engine.Configuration;

namespace NanoFold.Tests.Configuration;

public class NearestNameTests
{
    private static readonly string[] s_names = ["layers", "width", "kvHeads", "context", "top-k"];

    [TestCase("layer", "layers")]
    [TestCase("widht", "width")]
    [TestCase("KV_HEADS", "kvHeads")]
    [TestCase("contxet", "context")]
    [TestCase("topK", "top-k")]
    [TestCase("context", "context")]
    public void FindsWhatIsClose(string name, string expected) => Assert.That(NearestName.Among(name, s_names), Is.EqualTo(expected));

    [TestCase("")]
    [TestCase("batch")]
    [TestCase("something else")]
    public void SaysNothingWhereNothingIsClose(string name) => Assert.That(NearestName.Among(name, s_names), Is.Null);
}
