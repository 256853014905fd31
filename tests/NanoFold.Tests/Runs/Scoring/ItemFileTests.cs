using NanoFold.Engine;
using NanoFold.Engine.Runs.Scoring;
using NanoFold.Engine.Runs.Scoring.Formats;

namespace NanoFold.Tests.Runs.Scoring;

/// <summary>Files of questions as they are published, and such as are not.</summary>
public sealed class ItemFileTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [TestCase("""{"id": "x", "question": {"stem": "Why?", "choices": [{"text": "so", "label": "A"}, {"text": "no", "label": "B"}]}, "answerKey": "B"}""", "arc", "Question: Why?\nAnswer:", "so|no", 1)]
    [TestCase("""{"question": "Why?", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "1"}""", "arc", "Question: Why?\nAnswer:", "a|b|c", 0)]
    [TestCase("""{"query": "1 + 1 =", "choices": ["2", "3"], "gold": 0}""", "choices", "1 + 1 =", "2|3", 0)]
    [TestCase("""{"activity_label": "Tea", "ctx_a": "She sits. [title] Pours", "ctx_b": "the CUP", "endings": ["[step] is [b] hot", "is  full"], "label": "1"}""", "hellaswag", "Tea: She sits.. Pours The cup", " is hot|is full", 1)]
    [TestCase("""{"goal": "Boil water", "sol1": "a pot", "sol2": "a sieve", "label": 0}""", "piqa", "Question: Boil water\nAnswer:", "a pot|a sieve", 0)]
    [TestCase("""{"text": "one two three"}""", "lambada", "one two", "three", 0)]
    [TestCase("""{"page": "one two"}""", "pages", "one two", "", 0)]
    public void PublishedLayoutsAreRead(string line, string format, string context, string choices, int gold)
    {
        ItemFile file = Read($"\n{line}\n");
        Assert.That(file.Format, Is.EqualTo(format));
        Assert.That((file.Items[0].Context, string.Join('|', file.Items[0].Choices), file.Items[0].Gold), Is.EqualTo((context, choices, gold)));
    }

    [Test]
    public void AnswersMayStandInAFileBeside()
    {
        File.WriteAllText(_folder["items-labels.lst"], "1\n0\n");
        const string item = """{"goal": "g", "sol1": "a", "sol2": "b"}""";
        Assert.That(Read($"{item}\n{item}\n").Items.Select(i => i.Gold), Is.EqualTo(new[] { 1, 0 }));
        Assert.That(ItemFile.Read(_folder["items.jsonl"], limit: 1).Items, Has.Count.EqualTo(1));
        Assert.That(Fault($"{item}\n{item}\n{item}\n"), Does.Contain("line 3").And.Contain("NAME-labels.lst"));
    }

    [TestCase("", "has no lines")]
    [TestCase("[1]", "line 1: is no JSON object")]
    [TestCase("{", "line 1: is no JSON:")]
    [TestCase("""{"other": 1}""", "line 1: is of no layout that is known")]
    [TestCase("""{"query": "q", "choices": ["a", "b"], "gold": 2}""", "line 1: its answer is none of its 2 choices")]
    [TestCase("""{"query": "q", "choices": ["a"], "gold": 0}""", "line 1: has 1 choices")]
    [TestCase("""{"query": "q", "choices": ["a", ""], "gold": 0}""", "line 1: one of its choices is empty")]
    [TestCase("""{"query": "q", "choices": "ab", "gold": 0}""", "line 1: \"choices\" is not what was expected")]
    [TestCase("""{"query": "q", "choices": ["a", "b"], "gold": ""}""", "name a file with answers")]
    [TestCase("""{"query": "q", "choices": ["a", "b"]}""", "line 1: has no \"gold\"")]
    [TestCase("""{"query": "q\ud800", "choices": ["a", "b"], "gold": 0}""", "line 1: has a text that is no Unicode")]
    [TestCase("""{"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "C"}""", "line 1: its answer is none of its 2 choices")]
    [TestCase("""{"text": "word"}""", "line 1: has no last word")]
    [TestCase("{\"text\": \"one two\"}\n{\"page\": \"x\"}", "line 2: has no \"text\"")]
    public void WhatIsWrongIsALineWithItsPlace(string text, string message) => Assert.That(Fault(text), Does.Contain(message).And.StartWith(_folder["items.jsonl"]));

    /// <summary>As Python's <c>re.sub(r"\[.*?\]", "", text)</c> of the stripped text has it.</summary>
    [TestCase(" a [title] b  c ", "a. b c")]
    [TestCase("x [a]y[[b]z] [open\n]end", "x yz] [open\n]end")]
    [TestCase("[step] looks  at", " looks at")]
    public void MarksAreTakenOut(string text, string clean) => Assert.That(HellaSwag.Clean(text), Is.EqualTo(clean));

    [TestCase("5 @-@ 6 @,@ 7 , ( a b ) \" c \" ' d ' = = x = = \n y N z it 's s ' [ ] { (", "5-6,7, (a b) \"c\" 'd' == x ==\ny 1 z it's s' [] { (")]
    public void WikiTextIsJoined(string page, string text) => Assert.That(WikiText.Join(page), Is.EqualTo(text));

    private ItemFile Read(string text)
    {
        File.WriteAllText(_folder["items.jsonl"], text);
        return ItemFile.Read(_folder["items.jsonl"]);
    }

    private string Fault(string text) => Assert.Throws<UserException>(() => Read(text))!.Message;
}
