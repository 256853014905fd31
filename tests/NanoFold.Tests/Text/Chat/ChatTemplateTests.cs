using System.Text.Json;
using NanoFold.Engine;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Tests.Text.Chat;

/// <summary>Chat templates by themselves: what they are refused for, what bounds them, where they are found, what of a text is the assistant's.</summary>
public class ChatTemplateTests
{
    private const string ChatMl = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

    private static readonly ChatMessage[] s_talk = [new("system", "Be brief."), new("user", "2+2?"), new("assistant", "4"), new("user", "3+3?"), new("assistant", " 6 ")];

    [TestCase("a\n{{ x | urlize }}", "t, line 2: the filter 'urlize' is not supported", "Unsupported")]
    [TestCase("a\n\n{% include 'x' %}", "t, line 3: no loader for this environment specified: 'include' needs another template", "TypeError")]
    [TestCase("{% if x %}", "t, line 1: Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.", "TemplateSyntaxError")]
    [TestCase("\n{{ 'a' + 1 }}", "t, line 2: can only concatenate str (not \"int\") to str", "TypeError")]
    [TestCase("{{ raise_exception('no\nroles') }}", "t, line 1: no roles", "TemplateError")]
    [TestCase("{{ lipsum() }}", "t, line 1: lipsum() is not supported", "Unsupported")]
    [TestCase("{% set a %}\n{% macro m() %}\n{{ y.z }}{% endmacro %}{{ m() }}{% endset %}", "t, line 3: 'y' is undefined", "UndefinedError")]
    public void WhatIsWrongIsSaidWithTheLine(string source, string message, string kind)
    {
        ChatTemplateException e = Assert.Throws<ChatTemplateException>(() => Render(source))!;
        Assert.That((e.Message, e.Kind), Is.EqualTo((message, kind)));
    }

    [TestCase("{{ 'ab' * 10 ** 9 }}")]
    [TestCase("{{ 10 ** 100000000 }}")]
    [TestCase("{% set n = namespace(x='ab') %}{% for i in range(100) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}")]
    [TestCase("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", Category = "Long")]
    [TestCase("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")]
    [TestCase("{{ range(1000000) | list }}")]
    [TestCase("{% set n = namespace() %}{% set n.n = n %}{{ n }}")]
    [TestCase("{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l }}")]
    [TestCase("{% set n = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}")]
    [TestCase("{% set b = 'a b ' * 10 ** 6 %}{% for i in range(100000) %}{{ b | wordcount }}{% endfor %}")]
    [TestCase("{{ range(100000) | join('a' * 10 ** 6) }}")]
    [TestCase("{{ ('a' * 10 ** 6) | replace('', 'b' * 10 ** 6) }}")]
    [TestCase("{{ ('a\n' * 10 ** 6) | indent(10 ** 6) }}")]
    [TestCase("{{ [1] | slice(10 ** 9) | list }}")]
    [TestCase("{% set n = namespace(x=2) %}{% for i in range(100000) %}{% set n.x = n.x * n.x %}{% endfor %}")]
    [TestCase("{{ ('a' * 2000000 ~ 'b' ~ 'a' * 2000000) in 'a' * 10 ** 7 }}")]
    [TestCase("{% set b = 'a' * 10 ** 6 %}{{ ([b] * 100000) | sort | length }}")]
    [TestCase("{% set b = 'a' * 10 ** 6 %}{{ ([[b]] * 100000) | join | length }}")]
    [TestCase("{% for i in range(100000) %}{{ range(100000) | sum }}{% endfor %}")]
    [TestCase("{% for i in range(100000) %}{{ range(100000) | map('string') | first }}{{ 'a' | batch(100000, 'b') | list | length }}{% endfor %}")]
    [TestCase("{% set b = 'a' * 10 ** 7 %}{% for i in range(100000) %}{{ b[5] }}{{ b[5:6] }}{% endfor %}")]
    [TestCase("{% set b = 'a' * 10 ** 7 %}{% for i in range(100000) %}{{ 'a'.strip(b) }}{{ {b: 1}[b] }}{% endfor %}")]
    [TestCase("{% set b = 'a' * 10 ** 7 %}{% set c = 'a' * 10 ** 7 %}{% for i in range(100000) %}{{ b == c }}{{ b < c }}{% endfor %}")]
    [TestCase("{{ ('a' * 10 ** 7).rsplit('a') | length }}")]
    [TestCase("{{ ('%' ~ '-' * 10 ** 7 ~ 'd') % 1 }}{{ raise_exception('done') }}")]
    [TestCase("{% set n = namespace() %}{% set n.a = n %}{{ ('{0' ~ '.a' * 10 ** 6 ~ '}').format(n) }}")]
    [TestCase("{{ '%999999999d' % 1 }}")]
    [TestCase("{{ 'a' | center(999999999) }}")]
    [TestCase("{{ 'a' | indent(999999999) | length > 99999999 or raise_exception('fits') }}")]
    public void WhatATemplateDoesIsBounded(string source) => Assert.Throws<ChatTemplateException>(() => Render(source));

    [TestCase("(", ")")]
    [TestCase("[", "]")]
    [TestCase("-", "")]
    [TestCase("1 + ", "")]
    [TestCase("1 if x else ", "")]
    [TestCase("x[", "]")]
    public void DeepNestingIsRefused(string open, string close)
    {
        string Deep(int times) => $"{{{{ {string.Concat(Enumerable.Repeat(open, times))}1{string.Concat(Enumerable.Repeat(close, times))} }}}}";
        Assert.DoesNotThrow(() => ChatTemplate.Parse(Deep(20)));
        Assert.Throws<ChatTemplateException>(() => Render(Deep(100_000)));
    }

    [Test]
    public void BlocksThatAreNestedDeeplyAreRefused()
        => Assert.Throws<ChatTemplateException>(() => Render(string.Concat(Enumerable.Repeat("{% if true %}", 50_000)) + string.Concat(Enumerable.Repeat("{% endif %}", 50_000))));

    [Test]
    public void ATemplateIsFoundWhereModelsHaveIt()
    {
        using var folder = new TemporaryFolder();
        var tokenizer = new ByteTokenizer();
        Assert.That(ChatTemplate.Find(folder[""], tokenizer), Is.Null);
        File.WriteAllText(folder["tokenizer_config.json"], "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"tools\"},{\"name\":\"default\",\"template\":\"named\"}]}");
        Assert.That(ChatTemplate.Find(folder[""], tokenizer)!.Render(s_talk), Is.EqualTo("named"));
        File.WriteAllText(folder["tokenizer_config.json"], "{\"chat_template\":\"configured\"}");
        Assert.That(ChatTemplate.Find(folder[""], tokenizer)!.Render(s_talk), Is.EqualTo("configured"));
        File.WriteAllText(folder[ChatTemplate.FileName], "\uFEFF{{ messages | length }}");
        Assert.That(ChatTemplate.Find(folder[""], tokenizer)!.Render(s_talk), Is.EqualTo("5"));
        File.WriteAllBytes(folder[ChatTemplate.FileName], [0xFF, 0xFF]);
        Assert.That(() => ChatTemplate.Find(folder[""], tokenizer), Throws.TypeOf<UserException>().With.Message.EqualTo($"{folder[ChatTemplate.FileName]}: is no UTF-8 text"));
    }

    [Test]
    public void ThePlainTemplateIsLinesWithNames()
    {
        ChatTemplate plain = ChatTemplate.Plain();
        Assert.That(plain.Render(s_talk[..4], new ChatOptions { AddGenerationPrompt = true }), Is.EqualTo("Be brief.\nUser: 2+2?\nAssistant: 4\nUser: 3+3?\nAssistant:"));
        ChatEnd end = ChatEnd.Of(plain, new ByteTokenizer());
        Assert.That((end.Tokens, end.Texts), Is.EqualTo(((IReadOnlyList<int>)[], (IReadOnlyList<string>)["\nUser:"])));
    }

    [Test]
    public void WhatEndsAnAnswerIsSeenInTheTemplate()
    {
        ChatEnd end = ChatEnd.Of(ChatTemplate.Parse(ChatMl), new ByteTokenizer());
        Assert.That((end.Tokens.Count, end.Texts), Is.EqualTo((0, (IReadOnlyList<string>)["<|im_end|>"])), "the tokenizer has no such token");
        var bytes = new ByteTokenizer();
        string name = bytes.Specials.Count > 0 ? bytes.Specials[0].Name : "";
        if (name.Length > 0)
        {
            end = ChatEnd.Of(ChatTemplate.Parse(ChatMl.Replace("<|im_end|>", name, StringComparison.Ordinal)), bytes);
            Assert.That((end.Tokens, end.Texts.Count), Is.EqualTo(((IReadOnlyList<int>)[bytes.Specials[0].Id], 0)));
        }
    }

    [Test]
    public void AnswersAreFoundWithoutMarksOfTheTemplate()
    {
        RenderedChat chat = ChatTemplate.Parse(ChatMl).RenderMasked(s_talk);
        Assert.That(chat.Spans.Select(span => chat.Text[span.Start..span.End]), Is.EqualTo(new[] { "4<|im_end|>", " 6 <|im_end|>" }));
        chat = ChatTemplate.Plain().RenderMasked(s_talk);
        Assert.That(chat.Spans.Select(span => chat.Text[span.Start..span.End]), Is.EqualTo(new[] { " 4\n", "  6 \n" }), "where nothing but a line break ends an answer, that does");

        // A template that says something else before an answer than it does while it waits for one.
        chat = ChatTemplate.Parse("{% for m in messages %}<{{ m.role }} {{ loop.length }}>{{ m.content | trim }}{% endfor %}").RenderMasked(s_talk);
        Assert.That(chat.Spans.Select(span => chat.Text[span.Start..span.End]), Is.EqualTo(new[] { "4", "6" }));
        Assert.That(() => ChatTemplate.Parse("{{ messages[0].content }}").RenderMasked(s_talk), Throws.TypeOf<ChatTemplateException>().With.Message.Contains("turn 3, of the assistant, does not stand in the text"));
    }

    [Test]
    public void MasksOfTokensCoverTheSpans()
    {
        ChatMessage[] talk = [new("user", "é"), new("assistant", "日本")];
        EncodedChat chat = ChatTemplate.Parse(ChatMl).EncodeMasked(talk, new ByteTokenizer());
        byte[] own = [.. chat.Ids.Where((_, i) => chat.IsAssistant[i]).Select(id => (byte)id)];
        Assert.That(System.Text.Encoding.UTF8.GetString(own), Is.EqualTo("日本<|im_end|>"));
    }

    [Test]
    public void AMessageIsAnObject()
    {
        Assert.That(() => ChatMessage.Parse(JsonDocument.Parse("[]").RootElement), Throws.TypeOf<UserException>().With.Message.EqualTo("a message is an object with a role and a content, not a list"));
        ChatMessage message = ChatMessage.Parse(JsonDocument.Parse("{\"role\":\"user\",\"content\":null,\"x\":1}").RootElement);
        Assert.That((message.Role, message.Content, Render("{{ messages[0].x }}{{ messages[0].content }}", message)), Is.EqualTo(("user", "", "1None")));
    }

    [Test]
    public void DamagedTemplatesAreRefusedOrRendered() => Mutate(2_000);

    [Test, Category("Long")]
    public void ManyDamagedTemplatesAreRefusedOrRendered() => Mutate(50_000);

    // Anything but a text or a ChatTemplateException is a fault.
    private static void Mutate(int times)
    {
        const string letters = "{}%#-+'\"\\()[]|.,:~*/<>= \n\tifforsetendm01xé😀";
        string[] sources =
        [
            ChatMl, "{%- set ns = namespace(n=0) -%}{% for m in messages if m.role != 'x' %}{% set ns.n = ns.n + loop.index %}{{ m.content | trim | upper ~ ns.n }}{% endfor %}",
            "{% macro f(a, b=2) %}{{ a }}{{ b }}{{ caller() }}{% endmacro %}{% call f(1) %}{{ [1, 2][::-1] | join(', ') }}{% endcall %}{{ {'a': 1} | tojson(indent=2) }}{# c #}",
            "{% generation %}{{ '%s %5.2f' | format('a', 2.5) }}{% endgeneration %}{{ '{:>5}'.format(1) }}{% raw %}{{ }}{% endraw %}{{ 'a,b'.split(',')[0] is defined and not 1 in [2] }}",
        ];
        var random = new Random(11);
        for (int i = 0; i < times; i++)
        {
            char[] source = sources[i % sources.Length].ToCharArray();
            for (int changes = random.Next(1, 5); changes > 0; changes--)
            {
                source[random.Next(source.Length)] = letters[random.Next(letters.Length)];
            }

            string text = new(source);
            try
            {
                ChatTemplate.Parse(text).RenderMasked(s_talk);
            }
            catch (ChatTemplateException)
            {
                // A clear line.
            }
            catch (Exception e)
            {
                Assert.Fail($"{text}: {e}");
            }
        }
    }

    private static string Render(string source, params ChatMessage[] messages) => ChatTemplate.Parse(source, "t").Render(messages);
}
