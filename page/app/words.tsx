/** What words mean, to be opened by whoever wants to know. */
export function Words({ of, words }: { of: string; words: Readonly<Record<string, string>> }) {
  return (
    <details class="words">
      <summary>{of}</summary>
      <dl>
        {Object.entries(words).map(([word, meaning]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
