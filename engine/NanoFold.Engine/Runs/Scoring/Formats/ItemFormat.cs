namespace NanoFold.Engine.Runs.Scoring.Formats;

/// <summary>A layout of questions in JSON lines, told by the members of a line. A layout is a class with a line here.</summary>
internal abstract class ItemFormat
{
    /// <summary>All that are known.</summary>
    public static IReadOnlyList<ItemFormat> All { get; } = [new HellaSwag(), new Arc(), new Piqa(), new QueryChoices(), new LastWord(), new Page()];

    /// <summary>As in results: <c>hellaswag</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The members that a line of it has, for messages.</summary>
    public abstract string Members { get; }

    /// <summary>What is asked.</summary>
    public virtual ItemKind Kind => ItemKind.Choice;

    /// <summary>Whether a line is of it.</summary>
    public abstract bool Matches(ItemFields line);

    /// <summary>The question of a line.</summary>
    /// <exception cref="UserException">It lacks something, or has no answer.</exception>
    public abstract ScoredItem Read(ItemFields line);
}

/// <summary>HellaSwag (Zellers and others, 2019): how a description goes on.</summary>
internal sealed class HellaSwag : ItemFormat
{
    public override string Name => "hellaswag";

    public override string Members => "activity_label, ctx_a, ctx_b, endings, label";

    public override bool Matches(ItemFields line) => line.Has("endings") && line.Has("ctx_a");

    public override ScoredItem Read(ItemFields line)
    {
        string after = line.Text("ctx_b");
        string capitalized = after.Length == 0 ? "" : char.ToUpperInvariant(after[0]) + after[1..].ToLowerInvariant();
        string context = Clean($"{line.Text("activity_label")}: {line.Text("ctx_a")} {capitalized}");
        return line.Choice(context, [.. line.Texts("endings").Select(Clean)], line.Number("label"));
    }

    // Marks of WikiHow go: " [title]" ends a sentence, what else stands in brackets is nothing.
    internal static string Clean(string text)
    {
        text = TextSpaces.Strip(text).Replace(" [title]", ". ", StringComparison.Ordinal);
        var kept = new System.Text.StringBuilder(text.Length);
        int done = 0;
        while (text.IndexOf('[', done) is var open and >= 0)
        {
            int end = text.AsSpan(open).IndexOfAny(']', '\n');
            bool closes = end >= 0 && text[open + end] == ']';
            kept.Append(text, done, open - done);
            // An end of line is in no bracket.
            int next = end < 0 ? text.Length : open + end + 1;
            kept.Append(closes ? "" : text[open..next]);
            done = next;
        }

        return kept.Append(text, done, text.Length - done).ToString().Replace("  ", " ", StringComparison.Ordinal);
    }
}

/// <summary>ARC (Clark and others, 2018): questions of science, as of Hugging Face (choices of lists) and as first published (the question holds its choices).</summary>
internal sealed class Arc : ItemFormat
{
    public override string Name => "arc";

    public override string Members => "question, choices, answerKey";

    public override bool Matches(ItemFields line) => line.Has("answerKey") && line.Has("question");

    public override ScoredItem Read(ItemFields line)
    {
        (string question, string[] texts, string[] labels) = line.Inside("question") is { } stem
            ? (stem.Text("stem"), Each(stem, "text"), Each(stem, "label"))
            : (line.Text("question"), line.Require("choices").Texts("text"), line.Require("choices").Texts("label"));
        return line.Choice($"Question: {question}\nAnswer:", texts, Array.IndexOf(labels, line.Text("answerKey")));
    }

    private static string[] Each(ItemFields stem, string name) => [.. stem.Objects("choices").Select(choice => choice.Text(name))];
}

/// <summary>PIQA (Bisk and others, 2020): which of two ways does it; the answers may stand in a file of their own, <c>NAME-labels.lst</c>.</summary>
internal sealed class Piqa : ItemFormat
{
    public override string Name => "piqa";

    public override string Members => "goal, sol1, sol2, label";

    public override bool Matches(ItemFields line) => line.Has("goal") && line.Has("sol1");

    public override ScoredItem Read(ItemFields line) =>
        line.Choice($"Question: {line.Text("goal")}\nAnswer:", [line.Text("sol1"), line.Text("sol2")], line.Has("label") ? line.Number("label") : line.LabelBeside());
}

/// <summary>Any other questions: what stands before, the choices, and the number of the right one from 0.</summary>
internal sealed class QueryChoices : ItemFormat
{
    public override string Name => "choices";

    public override string Members => "query, choices, gold";

    public override bool Matches(ItemFields line) => line.Has("query") && line.Has("choices");

    public override ScoredItem Read(ItemFields line) => line.Choice(line.Text("query"), line.Texts("choices"), line.Number("gold"));
}

/// <summary>LAMBADA (Paperno and others, 2016): the last word of a passage.</summary>
internal sealed class LastWord : ItemFormat
{
    public override string Name => "lambada";

    public override string Members => "text";

    public override ItemKind Kind => ItemKind.LastWord;

    public override bool Matches(ItemFields line) => line.Has("text");

    public override ScoredItem Read(ItemFields line)
    {
        string text = line.Text("text");
        int space = text.LastIndexOf(' ');
        return space > 0 && space < text.Length - 1
            ? new ScoredItem(line.Place, text[..space], [text[(space + 1)..]], 0)
            : throw new UserException($"{line.Place}: has no last word after a space");
    }
}

/// <summary>Whole documents, scored token by token.</summary>
internal sealed class Page : ItemFormat
{
    public override string Name => "pages";

    public override string Members => "page";

    public override ItemKind Kind => ItemKind.Page;

    public override bool Matches(ItemFields line) => line.Has("page");

    public override ScoredItem Read(ItemFields line) => new(line.Place, line.Text("page"), [], 0);
}
